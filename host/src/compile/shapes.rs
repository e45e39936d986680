//! Does a model fit an architecture at all? Asked before any work is done.

use edge_moe_isa::arch::ArchConfig;
use edge_moe_kernels::layer_norm;

use crate::model::{FeedForward, Model};
use crate::{Error, Result};

/// Checks every size of the model against the architecture.
pub fn check(model: &Model, arch: &ArchConfig) -> Result<()> {
    let config = &model.config;
    let mut rows = vec![
        ("patch values", config.patch_values()),
        ("embedding width D", config.dim),
        ("head width d", config.head_dim()),
    ];
    for block in &model.blocks {
        rows.push(match &block.feed_forward {
            FeedForward::Dense(mlp) => ("hidden width F", mlp.fc1.bias.len()),
            FeedForward::Experts { experts, .. } => ("expert hidden width Fe", experts[0].fc1.bias.len()),
        });
    }
    rows.iter().try_for_each(|&(item, size)| check_row(arch, item, size))?;
    for (item, size, most) in [
        ("embedding width D", config.dim, layer_norm::MAX_DIM),
        ("tokens T", config.tokens(), arch.max_tokens as usize),
        ("experts E", config.experts, arch.max_experts as usize),
        ("heads H", config.heads, 255),
        ("tasks", config.tasks.len(), 255),
    ] {
        if size > most {
            return refuse(arch, format!("{item} is {size}, at most {most} are possible"));
        }
    }
    Ok(())
}

/// A row operand is whole words and fits a lane's bank.
fn check_row(arch: &ArchConfig, item: &str, size: usize) -> Result<()> {
    let (vector, most) = (arch.vector as usize, (arch.bank_words * arch.vector) as usize);
    if !size.is_multiple_of(vector) {
        return refuse(arch, format!("{item} is {size}, must be a multiple of V = {vector}"));
    }
    if size > most {
        return refuse(arch, format!("{item} is {size}, a lane holds rows of at most {most}"));
    }
    Ok(())
}

fn refuse(arch: &ArchConfig, problem: String) -> Result<()> {
    let others: Vec<String> =
        ArchConfig::named().into_iter().map(|other| other.name).filter(|name| *name != arch.name).collect();
    Err(Error::usage(format!("architecture `{}`", arch.name), problem)
        .hint(format!("other architectures: {}", others.join(", "))))
}
