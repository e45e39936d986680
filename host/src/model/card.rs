//! The model card in a weights file: what tensors alone cannot tell.

use std::collections::HashMap;

use super::{Task, TaskKind};

/// The only architecture there is.
pub const ARCHITECTURE: &str = "M3ViT";
/// The only GELU: with the error function, not its tanh approximation.
pub const GELU: &str = "erf";
/// What the network takes as a pixel.
pub const PIXELS: &str = "RGB, values pixel/256";
/// The only gate this network has.
pub const GATE: &str = "softmax over experts, top-k, not renormalised, one gate per task";
/// Cells across and down that a patch is answered on.
const CELLS: usize = 4;

/// What the card says, parsed; tensors are checked against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    pub image_height: usize,
    pub image_width: usize,
    pub patch: usize,
    pub dim: usize,
    pub depth: usize,
    pub heads: usize,
    pub experts: usize,
    pub top_k: usize,
    pub moe_layers: MoeLayers,
    pub layer_norm_eps: f64,
    pub tasks: Vec<Task>,
    pub provenance: String,
}

/// Which blocks are mixtures of experts.
#[derive(Clone, Debug, PartialEq)]
pub enum MoeLayers {
    Odd,
    Even,
    All,
    None,
    Listed(Vec<usize>),
}

impl MoeLayers {
    /// Is this block one of them?
    pub fn contains(&self, block: usize) -> bool {
        match self {
            Self::Odd => block % 2 == 1,
            Self::Even => block.is_multiple_of(2),
            Self::All => true,
            Self::None => false,
            Self::Listed(blocks) => blocks.contains(&block),
        }
    }
}

impl Card {
    /// Reads the entries of a safetensors file's metadata.
    pub fn parse(entries: &HashMap<String, String>) -> Result<Self, String> {
        let entries = Entries(entries);
        entries.expect("architecture", ARCHITECTURE)?;
        entries.expect("gelu", GELU)?;
        let moe_layers = entries.moe_layers()?;
        if moe_layers != MoeLayers::None {
            entries.expect("gate", GATE)?;
        }
        let (image_height, image_width) = entries.image()?;
        let has_experts = moe_layers != MoeLayers::None;
        Ok(Self {
            image_height,
            image_width,
            patch: entries.number("patch")?,
            dim: entries.number("embed_dim")?,
            depth: entries.number("depth")?,
            heads: entries.number("heads")?,
            experts: if has_experts { entries.number("experts")? } else { 0 },
            top_k: if has_experts { entries.number("top_k")? } else { 0 },
            moe_layers,
            layer_norm_eps: entries.layer_norm_eps()?,
            tasks: entries.tasks()?,
            provenance: entries.0.get("provenance").cloned().unwrap_or_default(),
        })
    }
}

struct Entries<'a>(&'a HashMap<String, String>);

impl Entries<'_> {
    fn get(&self, name: &str) -> Result<&str, String> {
        let entry = self.0.get(name).map(|entry| entry.trim());
        entry.ok_or_else(|| format!("model card (safetensors metadata) has no entry `{name}`"))
    }

    fn expect(&self, name: &str, expected: &str) -> Result<(), String> {
        match self.get(name)? {
            entry if entry == expected => Ok(()),
            entry => Err(format!("model card entry `{name}` is `{entry}`, only `{expected}` is supported")),
        }
    }

    fn number(&self, name: &str) -> Result<usize, String> {
        let entry = self.get(name)?;
        let number = entry.parse().ok().filter(|number| (1..=8192).contains(number));
        number.ok_or_else(|| {
            format!("model card entry `{name}` is `{entry}`, expected a number from 1 to 8192")
        })
    }

    fn layer_norm_eps(&self) -> Result<f64, String> {
        let entry = self.get("layer_norm_eps")?;
        let epsilon = entry.parse().ok().filter(|epsilon| (1e-12..=1e-2).contains(epsilon));
        epsilon.ok_or_else(|| {
            format!("model card entry `layer_norm_eps` is `{entry}`, expected a number from 1e-12 to 1e-2")
        })
    }

    /// `3x128x256 RGB, values pixel/256`: height and width.
    fn image(&self) -> Result<(usize, usize), String> {
        let entry = self.get("image")?;
        let parse = || {
            let (size, rest) = entry.split_once(' ')?;
            let mut sides = size.split('x').map(str::parse::<usize>);
            let (channels, height, width) = (sides.next()?.ok()?, sides.next()?.ok()?, sides.next()?.ok()?);
            let legal = channels == 3 && rest == PIXELS && sides.next().is_none();
            (legal && (1..=4096).contains(&height) && (1..=4096).contains(&width)).then_some((height, width))
        };
        parse().ok_or_else(|| {
            format!("model card entry `image` is `{entry}`, expected `3xHEIGHTxWIDTH {PIXELS}`")
        })
    }

    fn moe_layers(&self) -> Result<MoeLayers, String> {
        let entry = self.get("moe_layers")?;
        Ok(match entry {
            "odd" => MoeLayers::Odd,
            "even" => MoeLayers::Even,
            "all" => MoeLayers::All,
            "none" => MoeLayers::None,
            list => {
                let blocks: Result<_, _> = list.split(',').map(|block| block.trim().parse()).collect();
                MoeLayers::Listed(blocks.map_err(|_| {
                    format!("model card entry `moe_layers` is `{entry}`, expected odd, even, all, none or block indices")
                })?)
            }
        })
    }

    fn tasks(&self) -> Result<Vec<Task>, String> {
        let names: Vec<&str> = self.get("tasks")?.split(',').map(str::trim).collect();
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        if distinct.len() != names.len() || names.len() > 8 {
            return Err(format!(
                "model card entry `tasks` names {} tasks, expected 1 to 8 different ones",
                names.len()
            ));
        }
        if let Some(other) = self.encoder_outputs().into_iter().find(|other| !names.contains(other)) {
            return Err(format!(
                "model card entry `encoder_outputs` names `{other}`, which `tasks` does not"
            ));
        }
        names.into_iter().map(|name| self.task(name)).collect()
    }

    /// `task0,task1`: names of the tasks that have no head.
    fn encoder_outputs(&self) -> Vec<&str> {
        self.0.get("encoder_outputs").map_or(Vec::new(), |entry| entry.split(',').map(str::trim).collect())
    }

    fn task(&self, name: &str) -> Result<Task, String> {
        if self.encoder_outputs().contains(&name) {
            return Ok(Task { name: name.to_string(), cells: 1, kind: TaskKind::Encoder });
        }
        let kind = match name {
            "semseg" => {
                let classes: Vec<String> =
                    self.get("classes")?.split(',').map(|class| class.trim().to_string()).collect();
                if classes.len() > 256 {
                    return Err(format!(
                        "model card entry `classes` names {} classes, at most 256",
                        classes.len()
                    ));
                }
                TaskKind::Segmentation { classes }
            }
            "depth" => self.depth_units()?,
            other => {
                return Err(format!(
                    "model card entry `tasks` names `{other}`, known tasks are semseg, depth, and those that \
                     `encoder_outputs` names"
                ));
            }
        };
        Ok(Task { name: name.to_string(), cells: CELLS, kind })
    }

    /// `ln(metres) = value*1.05 + 2.75, clipped at 80 m`.
    fn depth_units(&self) -> Result<TaskKind, String> {
        let entry = self.get("depth_units")?;
        let parse = || {
            let formula = entry.strip_prefix("ln(metres) = value*")?.strip_suffix(" m")?;
            let (formula, max_metres) = formula.split_once(", clipped at ")?;
            let (scale, offset) = formula.split_once(" + ")?;
            let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.abs() < 1e6);
            let (scale, offset, max_metres) = (number(scale)?, number(offset)?, number(max_metres)?);
            (max_metres > 0.0).then_some(TaskKind::Depth { scale, offset, max_metres })
        };
        parse().ok_or_else(|| {
            format!("model card entry `depth_units` is `{entry}`, expected `ln(metres) = value*A + B, clipped at C m`")
        })
    }
}
