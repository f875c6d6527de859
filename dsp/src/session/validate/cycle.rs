//! Circles in what feeds what.

use std::collections::BTreeSet;

/// That `from` must be computed before `to`, and the place that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edge {
    pub from: usize,
    pub to: usize,
    pub pointer: String,
}

/// Sorts nodes so that every edge points forward, the lowest index first where there is a choice (Kahn 1962).
///
/// # Errors
/// The circles that leave no order: disjoint ones, each as the edges along it from its lowest node on.
pub(super) fn order(nodes: usize, edges: &[Edge]) -> Result<Vec<usize>, Vec<Vec<&Edge>>> {
    let mut leaving: Vec<Vec<&Edge>> = vec![Vec::new(); nodes];
    let mut waiting = vec![0_usize; nodes];
    for edge in edges {
        leaving[edge.from].push(edge);
        waiting[edge.to] += 1;
    }
    let mut ready: BTreeSet<usize> = (0..nodes).filter(|&node| waiting[node] == 0).collect();
    let mut sorted = Vec::with_capacity(nodes);
    while let Some(node) = ready.pop_first() {
        sorted.push(node);
        for edge in &leaving[node] {
            waiting[edge.to] -= 1;
            if waiting[edge.to] == 0 {
                ready.insert(edge.to);
            }
        }
    }
    if sorted.len() == nodes {
        return Ok(sorted);
    }
    let mut left: BTreeSet<usize> = (0..nodes).collect();
    for node in sorted {
        left.remove(&node);
    }
    Err(circles(&leaving, left))
}

/// Takes circles out of the nodes in `left` until there are none.
fn circles<'a>(leaving: &[Vec<&'a Edge>], mut left: BTreeSet<usize>) -> Vec<Vec<&'a Edge>> {
    let mut circles = Vec::new();
    while let Some(&start) = left.first() {
        let mut path: Vec<&Edge> = Vec::new();
        let mut here = start;
        loop {
            if let Some(begin) = path.iter().position(|edge| edge.from == here) {
                let mut circle = path.split_off(begin);
                let lowest = circle.iter().enumerate().min_by_key(|(_, edge)| edge.from).map_or(0, |(at, _)| at);
                circle.rotate_left(lowest);
                for edge in &circle {
                    left.remove(&edge.from);
                }
                circles.push(circle);
                break;
            }
            match leaving[here].iter().find(|edge| left.contains(&edge.to)) {
                Some(edge) => {
                    path.push(edge);
                    here = edge.to;
                }
                // Nothing leads on: it is fed by a circle, but in none.
                None => {
                    left.remove(&here);
                    break;
                }
            }
        }
    }
    circles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(pairs: &[(usize, usize)]) -> Vec<Edge> {
        pairs.iter().map(|&(from, to)| Edge { from, to, pointer: format!("/{from}-{to}") }).collect()
    }

    #[test]
    fn every_node_comes_after_what_feeds_it() {
        assert_eq!(order(4, &edges(&[(3, 0), (0, 1), (3, 1)])), Ok(vec![2, 3, 0, 1]));
    }

    #[test]
    fn each_circle_is_found_once_and_what_hangs_on_it_is_not() {
        let edges = edges(&[(0, 1), (1, 2), (2, 1), (2, 3), (4, 4), (5, 0)]);
        let found: Vec<Vec<&str>> = order(6, &edges)
            .unwrap_err()
            .into_iter()
            .map(|circle| circle.into_iter().map(|edge| edge.pointer.as_str()).collect())
            .collect();
        assert_eq!(found, [vec!["/1-2", "/2-1"], vec!["/4-4"]]);
    }
}
