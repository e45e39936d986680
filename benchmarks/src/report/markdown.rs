//! Pieces of Markdown.

/// What stands in place of a figure that nobody told.
pub const UNKNOWN: &str = "not known";

/// A table; the columns from `numbers` on stand to the right.
pub fn table(head: &[&str], numbers: usize, rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| cell.to_string()).collect();
    let rule = |column: usize| if column < numbers { "---" } else { "---:" };
    let rules: Vec<&str> = (0..head.len()).map(rule).collect();
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!("{}|{}|\n{rows}", line(&head), rules.join("|"))
}

/// A share in percent.
pub fn percent(share: f64, digits: usize) -> String {
    format!("{:.digits$} %", 100.0 * share)
}

/// Millions, with two decimals.
pub fn millions(number: f64) -> String {
    format!("{:.2}", number / 1e6)
}

/// A number of any size with three significant digits at least.
pub fn short(number: f64) -> String {
    let magnitude = if number == 0.0 { 0.0 } else { number.abs().log10().floor() };
    let decimals = (2.0 - magnitude).clamp(0.0, 9.0) as usize;
    let text = format!("{number:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align_numbers_to_the_right() {
        let rows = [vec!["a".to_string(), "1".to_string()]];
        assert_eq!(table(&["x", "y"], 1, &rows), "| x | y |\n|---|---:|\n| a | 1 |\n");
    }

    #[test]
    fn numbers_are_short() {
        let shorts = [0.0, 1234.5, 120.4, 6.5, 0.00112].map(short);
        assert_eq!(shorts, ["0", "1234", "120", "6.5", "0.00112"]);
        assert_eq!(percent(0.123, 1), "12.3 %");
        assert_eq!(millions(3_309_211.0), "3.31");
    }
}
