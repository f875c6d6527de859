//! Tables on stdout: as wide as they need to be when a program or a file takes them, fitted on a terminal.

use std::io::IsTerminal as _;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, presets};

/// A table under construction.
pub struct Listing {
    table: Table,
}

impl Listing {
    /// A table with these columns; those whose title starts with `>` align to the right, those with `=`
    /// are never broken, so that they can be copied.
    #[must_use]
    pub fn new(columns: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
        table.set_content_arrangement(if std::io::stdout().is_terminal() {
            ContentArrangement::Dynamic
        } else {
            ContentArrangement::Disabled
        });
        table.set_header(columns.iter().map(|title| title.trim_start_matches(['>', '='])));
        for (index, title) in columns.iter().enumerate() {
            if let Some(column) = table.column_mut(index) {
                match title.chars().next() {
                    Some('>') => column.set_cell_alignment(CellAlignment::Right),
                    Some('=') => _ = column.set_constraint(ColumnConstraint::ContentWidth),
                    _ => {}
                }
            }
        }
        Self { table }
    }

    /// Adds a row, one cell per column.
    pub fn row<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS]) {
        self.table.add_row(cells);
    }

    /// The table as text, without a line end.
    #[must_use]
    pub fn text(&self) -> String {
        self.table.trim_fmt()
    }
}

/// A level or range with two decimals, or a dash where there is none.
#[must_use]
pub fn level(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
}

/// A length as `m:ss.mmm`, or `h:mm:ss.mmm`.
#[must_use]
pub fn length(seconds: f64) -> String {
    let milliseconds = (seconds.max(0.0) * 1000.0).round() as u64;
    let (hours, minutes) = (milliseconds / 3_600_000, milliseconds / 60_000 % 60);
    let (seconds, thousandths) = (milliseconds / 1000 % 60, milliseconds % 1000);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}.{thousandths:03}")
    } else {
        format!("{minutes}:{seconds:02}.{thousandths:03}")
    }
}

/// A digest, cut to its first digits where a terminal has no room for it.
#[must_use]
pub fn digest(text: &str) -> String {
    if std::io::stdout().is_terminal() { text.chars().take(12).collect() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_clock_time() {
        assert_eq!(length(0.0), "0:00.000");
        assert_eq!(length(61.25), "1:01.250");
        assert_eq!(length(3725.0014), "1:02:05.001");
    }
}
