//! Signal to quantisation noise of every tensor, block by block.

use edge_moe::profile::svg::Svg;

use super::{BLUE, GREEN, INK, ORANGE, Plot, SKY, WIDTH, paper};
use crate::fidelity::{Fidelity, Tensor};

const LEFT: f64 = 60.0;
const TOP: f64 = 44.0;
const HEIGHT: f64 = 280.0;
/// Decibels between lines.
const STEP: f64 = 10.0;

pub fn plot(all: &[Fidelity]) -> Plot {
    let mut svg = paper(TOP + HEIGHT + 48.0);
    let ratios = || all.iter().flat_map(|fidelity| &fidelity.tensors).filter_map(placed);
    let blocks = ratios().map(|(block, _)| block + 1).max().unwrap_or(1);
    let least = (ratios().map(|(_, db)| db).fold(f64::INFINITY, f64::min) / STEP).floor().min(100.0) * STEP;
    let most = (ratios().map(|(_, db)| db).fold(least + STEP, f64::max) / STEP).ceil() * STEP;
    let y = |db: f64| TOP + HEIGHT * (most - db) / (most - least);
    let slot = (WIDTH - LEFT - 16.0) / blocks as f64;
    for line in 0..=((most - least) / STEP) as usize {
        let db = least + STEP * line as f64;
        svg.line(&[(LEFT, y(db)), (WIDTH - 16.0, y(db))], "#e9ecef", 1.0);
        svg.text((LEFT - 6.0, y(db) + 4.0), "faint end", &format!("{db} dB"));
    }
    for block in 0..blocks {
        let x = LEFT + (block as f64 + 0.5) * slot;
        svg.text((x, TOP + HEIGHT + 18.0), "faint middle", &block.to_string());
    }
    svg.text((LEFT + (WIDTH - LEFT) / 2.0, TOP + HEIGHT + 36.0), "middle", "block");
    let mut entries = Vec::new();
    for (index, fidelity) in all.iter().enumerate() {
        let colour = [BLUE, ORANGE, GREEN, SKY, INK][index % 5];
        let offset = slot * (index as f64 + 1.0) / (all.len() as f64 + 1.0);
        column(&mut svg, fidelity, &|block| LEFT + block as f64 * slot + offset, &y, colour);
        entries.push((colour, fidelity.title()));
    }
    let entries: Vec<(&str, &str)> = entries.iter().map(|(colour, name)| (*colour, name.as_str())).collect();
    svg.legend((16.0, 22.0), &entries);
    Plot::new(
        "fidelity",
        "Signal to noise by block",
        "Signal to quantisation noise of every tensor of a block, integer against float; the line joins the worst of \
         each block.",
        svg,
    )
}

/// Block and ratio of a tensor that has both.
fn placed(tensor: &Tensor) -> Option<(usize, f64)> {
    Some((tensor.block?, tensor.sqnr_db.filter(|db| db.is_finite())?))
}

fn column(
    svg: &mut Svg,
    fidelity: &Fidelity,
    x: &dyn Fn(usize) -> f64,
    y: &dyn Fn(f64) -> f64,
    colour: &str,
) {
    let mut worst = std::collections::BTreeMap::new();
    for (tensor, (block, db)) in fidelity.tensors.iter().filter_map(|tensor| Some((tensor, placed(tensor)?)))
    {
        svg.circle((x(block), y(db)), 3.0, colour, &format!("{}: {db:.1} dB", tensor.name));
        let least = worst.entry(block).or_insert(db);
        *least = f64::min(*least, db);
    }
    let line: Vec<(f64, f64)> = worst.iter().map(|(block, db)| (x(*block), y(*db))).collect();
    svg.line(&line, colour, 1.5);
}
