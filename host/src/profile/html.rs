//! A report as one page that needs nothing but itself.

use edge_moe_isa::registers::Activity;

use super::layers::Part;
use super::plots::{grouped, kind_colour, plots};
use super::report::Report;
use super::svg::escape;

const STYLE: &str = "\
body{font:14px/1.45 system-ui,sans-serif;color:#212529;max-width:1240px;margin:28px auto;padding:0 20px;background:#fff}
h1{font-size:22px;margin:0 0 2px}h2{font-size:16px;margin:34px 0 2px}p{color:#868e96;margin:0 0 10px}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:18px 0}
.figure{border:1px solid #dee2e6;border-radius:6px;padding:9px 12px}
.figure b{display:block;font-size:21px;font-weight:600}.figure span{color:#868e96;font-size:12px}
svg{max-width:100%;height:auto;display:block}
table{border-collapse:collapse;width:100%;font-size:12.5px;font-variant-numeric:tabular-nums}
th{color:#868e96;font-weight:500;text-align:right;border-bottom:1px solid #adb5bd;padding:3px 8px}
td{text-align:right;padding:2px 8px;border-bottom:1px solid #f1f3f5;white-space:nowrap}
th:first-child,td:first-child,th:last-child,td:last-child{text-align:left}
i{display:inline-block;width:9px;height:9px;margin-right:7px;border-radius:2px}
";

/// The page.
pub fn html(report: &Report) -> String {
    let title =
        format!("{} on {}: {}", escape(&report.program), escape(&report.arch), escape(&report.picture));
    let memory = format!(
        "memory of {} bytes a cycle and {} cycles latency",
        report.memory.bytes_per_cycle, report.memory.latency
    );
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Profile: {title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<p>{}, {memory}; cycles and bytes are {}</p>\n",
        escape(&report.device),
        report.evidence.name(),
    );
    page += &figures(report);
    for plot in plots(report) {
        page += &format!("<h2>{}</h2>\n<p>{}</p>\n{}", heading(plot.name), plot.caption, plot.svg);
    }
    page += &format!("<h2>By kind</h2>\n{}", table(&report.kinds));
    page += &format!("<h2>By layer</h2>\n{}</body>\n</html>\n", table(&report.layers));
    page
}

fn heading(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

fn figures(report: &Report) -> String {
    let evidence = report.evidence.name();
    let over = 100.0 * (report.cycles as f64 / report.bound_cycles.max(1) as f64 - 1.0);
    let figures = [
        (grouped(report.cycles), format!("cycles, {evidence}")),
        (format!("{:.2} ms", report.estimated_ms), format!("estimated, at {} MHz", report.clock_mhz)),
        (
            format!("{:.1} %", 100.0 * report.multiplier_use),
            format!("of {} multipliers in use", report.multipliers),
        ),
        (format!("{:.1} M", report.macs as f64 / 1e6), "products".to_string()),
        (grouped(report.ideal_cycles), "cycles if all always multiplied".to_string()),
        (grouped(report.bound_cycles), format!("bound, exceeded by {over:.1} %")),
        (format!("{:.2} MB", report.memory_bytes as f64 / 1e6), format!("crossed memory, {evidence}")),
    ];
    let figure = |(number, what): &(String, String)| {
        format!("<div class=\"figure\"><b>{number}</b><span>{what}</span></div>\n")
    };
    format!("<div class=\"figures\">\n{}</div>\n", figures.iter().map(figure).collect::<String>())
}

fn table(parts: &[Part]) -> String {
    let head =
        ["layer", "cycles", "share", "M products", "use", "bound", "kB needed", "kB read", "waited for"];
    let head: String = head.iter().map(|cell| format!("<th>{cell}</th>")).collect();
    format!("<table>\n<tr>{head}</tr>\n{}</table>\n", parts.iter().map(row).collect::<String>())
}

fn row(part: &Part) -> String {
    let kilobytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e3);
    let products = part.macs > 0;
    let cells = [
        format!("<i style=\"background:{}\"></i>{}", kind_colour(part.kind), escape(&part.name)),
        grouped(part.cycles),
        format!("{:.2} %", 100.0 * part.share),
        if products { format!("{:.2}", part.macs as f64 / 1e6) } else { String::new() },
        if products { format!("{:.1} %", 100.0 * part.multiplier_use) } else { String::new() },
        if products { grouped(part.bound_cycles) } else { String::new() },
        kilobytes(part.bytes),
        kilobytes(part.read_bytes),
        part.activities.stalls().iter().take(3).map(stall).collect::<Vec<_>>().join(", "),
    ];
    format!("<tr>{}</tr>\n", cells.iter().map(|cell| format!("<td>{cell}</td>")).collect::<String>())
}

fn stall((activity, cycles): &(Activity, u64)) -> String {
    format!("{} {}", activity.name(), grouped(*cycles))
}
