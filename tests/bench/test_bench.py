"""What the bench and its guard conclude from numbers."""
import unittest

import guard
import table

ANNOTATED = """
--------------------------------------------------------------------------------
Ir
--------------------------------------------------------------------------------
1,000 (100.0%)  PROGRAM TOTALS

--------------------------------------------------------------------------------
Ir            file:function
--------------------------------------------------------------------------------
600 (60.0%)  ???:mixdown_dsp::nodes::eq::Eq::process [/target/release/mixdown]
300 (30.0%)  ???:blake3::compress [/target/release/mixdown]
50 ( 5.0%)  ???:memcpy [/target/release/mixdown]
"""


class Guard(unittest.TestCase):
    def test_five_per_cent_pass_and_more_fails(self):
        self.assertFalse(guard.grown(1000, 1050)[1])
        self.assertTrue(guard.grown(1000, 1051)[1])
        self.assertFalse(guard.grown(1000, 500)[1])

    def test_instructions_are_counted_by_stage_and_none_is_lost(self):
        by_stage, total = guard.counts(ANNOTATED)
        self.assertEqual(total, 1000)
        self.assertEqual(by_stage["equaliser"], 600)
        self.assertEqual(by_stage["digest"], 300)
        self.assertEqual(by_stage["other"], 100)
        self.assertEqual(sum(by_stage.values()), total)

    def test_a_profile_without_totals_is_refused(self):
        self.assertRaises(ValueError, guard.counts, "nothing")

    def test_functions_listed_twice_are_refused(self):
        self.assertRaises(ValueError, guard.counts, ANNOTATED + ANNOTATED.replace("PROGRAM TOTALS", "again"))


class Table(unittest.TestCase):
    def test_a_figure_beyond_its_bound_is_named(self):
        figures = [table.Figure("wall", 4.9, at_least=5), table.Figure("memory", 0.5, at_most=1)]
        self.assertIn("no: wall |", table.line("a", "b", figures))

    def test_figures_on_their_bounds_reach_the_goal(self):
        figures = [table.Figure("wall", 5, at_least=5), table.Figure("memory", 1, at_most=1)]
        self.assertIn("| yes |", table.line("a", "b", figures))


if __name__ == "__main__":
    unittest.main()
