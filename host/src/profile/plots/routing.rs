//! Tokens of each expert in each block, task by task.

use super::{Plot, WIDTH};
use crate::profile::report::{Report, Visits};
use crate::profile::svg::{Area, Svg};

const LEFT: f64 = 130.0;
const TOP: f64 = 26.0;
const ROW: f64 = 22.0;

pub fn plot(report: &Report) -> Plot {
    let experts =
        report.routing.iter().map(|visits| visits.tokens_per_expert.len()).max().unwrap_or(0).max(1);
    let most = report.routing.iter().flat_map(|visits| &visits.tokens_per_expert).max().copied().unwrap_or(0);
    let cell = ((WIDTH - LEFT - 130.0) / experts as f64).min(64.0);
    let mut svg = Svg::new(WIDTH, TOP + ROW * report.routing.len() as f64 + 8.0);
    svg.text((LEFT - 8.0, TOP - 8.0), "faint end", "expert");
    for expert in 0..experts {
        let x = LEFT + (expert as f64 + 0.5) * cell;
        svg.text((x, TOP - 8.0), "faint middle", &expert.to_string());
    }
    svg.text((LEFT + cell * experts as f64 + 12.0, TOP - 8.0), "faint", "visited");
    for (row, visits) in report.routing.iter().enumerate() {
        draw_row(&mut svg, visits, TOP + row as f64 * ROW, (cell, most.max(1)));
    }
    Plot {
        name: "routing",
        caption: "Tokens that visit each expert. An expert with few tokens is loaded longer than it computes; one \
                  without any is not loaded.",
        svg: svg.finish(),
    }
}

fn draw_row(svg: &mut Svg, visits: &Visits, y: f64, (cell, most): (f64, usize)) {
    svg.text((LEFT - 8.0, y + 15.0), "end", &format!("{} block {}", visits.task, visits.block));
    for (expert, &tokens) in visits.tokens_per_expert.iter().enumerate() {
        let share = tokens as f64 / most as f64;
        let x = LEFT + expert as f64 * cell;
        let area = Area { x, y: y + 1.0, width: cell - 2.0, height: ROW - 2.0 };
        svg.rectangle(area, &shade(share), &format!("expert {expert}: {tokens} tokens"));
        if tokens > 0 && cell > 20.0 {
            let classes = if share > 0.5 { "small middle light" } else { "small middle" };
            svg.text((x + cell / 2.0 - 1.0, y + 14.0), classes, &tokens.to_string());
        }
    }
    let visited = visits.tokens_per_expert.iter().filter(|tokens| **tokens > 0).count();
    let x = LEFT + cell * visits.tokens_per_expert.len() as f64 + 12.0;
    svg.text((x, y + 15.0), "faint", &format!("{visited} of {}", visits.tokens_per_expert.len()));
}

/// From almost white to dark blue.
fn shade(share: f64) -> String {
    let (pale, dark) = ([241.0, 243.0, 245.0], [8.0, 64.0, 129.0]);
    let mix = |index: usize| (pale[index] + (dark[index] - pale[index]) * share).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2))
}
