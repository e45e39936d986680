//! Tokens in the experts' queues, as a run of the software device fills them.

use edge_moe_isa::descriptor::{Operation, Route, Space};
use edge_moe_kernels::route::choose;
use image::RgbImage;

use crate::Result;
use crate::device::{SoftwareDevice, Stepper};
use crate::runtime::{Answers, Runtime};

/// Tokens of each expert, for each `experts` descriptor of a program in order.
pub type Queues = Vec<Vec<usize>>;

/// Runs a program on the software device; returns its answers and the queues of its experts.
pub fn observe(
    runtime: &mut Runtime<SoftwareDevice>,
    picture: &RgbImage,
    program: usize,
) -> Result<(Answers, Queues)> {
    runtime.write_picture(picture)?;
    let model = runtime.model().clone();
    let (arch, descriptors) = (&model.manifest().arch, &model.programs()[program]);
    let (mut queues, mut open) = (Vec::new(), Vec::new());
    runtime.device().start(program)?;
    while let Some(index) = runtime.device().step()? {
        match &descriptors[index].operation {
            Operation::Route(route) => {
                if route.append == 0 {
                    open = vec![0; route.experts.into()];
                }
                let words = u32::from(route.tokens) * arch.words(route.experts.into());
                let logits = runtime.device().values(Space::Scratchpad, route.logits, words)?;
                fill(&mut open, route, &logits);
            }
            Operation::Experts(_) => queues.push(std::mem::take(&mut open)),
            _ => {}
        }
    }
    Ok((runtime.read_answers(program)?, queues))
}

fn fill(queue: &mut [usize], route: &Route, logits: &[i16]) {
    for token in logits.chunks(logits.len() / usize::from(route.tokens)) {
        for choice in choose(&token[..route.experts.into()], route.top_k.into()) {
            queue[usize::from(choice.expert)] += 1;
        }
    }
}
