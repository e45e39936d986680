//! The shape and the weights of a multi-task mixture-of-experts vision
//! transformer (M³ViT, arXiv 2210.14793).

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

/// Shape of a network: everything the compiler needs besides the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Height of the input picture in pixels.
    pub image_height: usize,
    /// Width of the input picture in pixels.
    pub image_width: usize,
    /// Side of a square patch in pixels.
    pub patch: usize,
    /// Embedding width D.
    pub dim: usize,
    /// Attention heads H; a head is D/H wide.
    pub heads: usize,
    /// Experts per MoE block E (0: no block is MoE).
    pub experts: usize,
    /// Experts that each token visits, k.
    pub top_k: usize,
    /// Epsilon of every LayerNorm.
    pub layer_norm_eps: f64,
    /// The questions the network answers, in gate order.
    pub tasks: Vec<Task>,
}

impl ModelConfig {
    /// Checks that sizes agree with each other and stay within what the arithmetic allows.
    pub fn validate(&self) -> Result<(), String> {
        let Self { image_height, image_width, patch, dim, heads, experts, top_k, .. } = *self;
        for (item, value, most) in [
            ("image height", image_height, 4096),
            ("image width", image_width, 4096),
            ("patch", patch, 52),
            ("embed_dim", dim, 4096),
            ("heads", heads, 255),
        ] {
            if !(1..=most).contains(&value) {
                return Err(format!("{item} is {value}, allowed are 1 to {most}"));
            }
        }
        if !image_height.is_multiple_of(patch) || !image_width.is_multiple_of(patch) {
            return Err(format!("patch {patch} does not divide the image of {image_height}x{image_width}"));
        }
        if !dim.is_multiple_of(heads) {
            return Err(format!("heads {heads} do not divide embed_dim {dim}"));
        }
        if self.tokens() > 4096 {
            return Err(format!("{} tokens, at most 4096", self.tokens()));
        }
        if experts > 1024 || top_k > experts.min(255) || (experts > 0 && top_k == 0) {
            return Err(format!("top_k {top_k} of {experts} experts, allowed is 1 to all of at most 1024"));
        }
        self.validate_tasks()
    }

    fn validate_tasks(&self) -> Result<(), String> {
        if !(1..=8).contains(&self.tasks.len()) {
            return Err(format!("{} tasks, allowed are 1 to 8", self.tasks.len()));
        }
        for (index, task) in self.tasks.iter().enumerate() {
            let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if task.name.is_empty() || !task.name.chars().all(legal) {
                return Err(format!("task `{}`: names are of letters, digits, `_` and `-`", task.name));
            }
            if self.tasks[..index].iter().any(|other| other.name == task.name) {
                return Err(format!("two tasks are called `{}`", task.name));
            }
            let classes = match &task.kind {
                TaskKind::Segmentation { classes } => classes.len(),
                TaskKind::Depth { scale, offset, max_metres } => {
                    let sane = [scale, offset, max_metres].iter().all(|number| number.abs() < 1e6);
                    usize::from(sane && *max_metres > 0.0)
                }
                TaskKind::Encoder => 1,
            };
            if !(1..=16).contains(&task.cells) || !(1..=256).contains(&classes) {
                return Err(format!(
                    "task `{}` has {} cells and {classes} values a cell",
                    task.name, task.cells
                ));
            }
        }
        Ok(())
    }

    /// Number of patches of a picture.
    pub fn patches(&self) -> usize {
        (self.image_height / self.patch) * (self.image_width / self.patch)
    }

    /// Number of tokens T: the patches and the cls token.
    pub fn tokens(&self) -> usize {
        self.patches() + 1
    }

    /// Width d of one attention head.
    pub fn head_dim(&self) -> usize {
        self.dim / self.heads
    }

    /// Values of one patch: 3 · patch².
    pub fn patch_values(&self) -> usize {
        3 * self.patch * self.patch
    }

    /// Rows and columns of a task's answer: patches by the head's channels, or
    /// without a head T tokens (cls first) by D.
    pub fn answer_shape(&self, task: &Task) -> (usize, usize) {
        match task.head_channels() {
            Some(channels) => (self.patches(), channels),
            None => (self.tokens(), self.dim),
        }
    }
}

/// One question about a picture, and how the head's numbers answer it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Name as in the weights (`decoders.NAME.…`), in files and on the command line.
    pub name: String,
    /// Each patch is answered on a grid of `cells` × `cells` cells.
    pub cells: usize,
    /// What the numbers of a cell mean.
    pub kind: TaskKind,
}

impl Task {
    /// Output channels of the head for one patch token, cell-major, then class; none without a head.
    pub fn head_channels(&self) -> Option<usize> {
        let per_cell = match &self.kind {
            TaskKind::Segmentation { classes } => classes.len(),
            TaskKind::Depth { .. } => 1,
            TaskKind::Encoder => return None,
        };
        Some(self.cells * self.cells * per_cell)
    }
}

/// What the numbers of an answer mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// One logit per class; the largest wins, the lower index on ties.
    Segmentation {
        /// Names of the classes in index order.
        classes: Vec<String>,
    },
    /// ln(metres) = value · scale + offset, clipped at `max_metres`.
    Depth {
        /// Factor on the head's value.
        scale: f64,
        /// Added to the scaled value.
        offset: f64,
        /// Largest depth that is reported.
        max_metres: f64,
    },
    /// No head: the tokens as the last block leaves them, for whoever has a head of his own.
    Encoder,
}

/// Where weights come from, for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// File name the weights were read from, without its directory.
    pub file: String,
    /// The model card's own words on how the weights came to be.
    pub note: String,
    /// Number of parameters.
    pub parameters: u64,
}

/// A fully connected layer, y = W·x + b.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// W, shape `[out, in]`.
    pub weight: Array2<f32>,
    /// b, shape `[out]`.
    pub bias: Array1<f32>,
}

/// Gain and offset of a LayerNorm, each of shape `[D]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    /// Multiplies the normalised value.
    pub gain: Array1<f32>,
    /// Added after the gain.
    pub offset: Array1<f32>,
}

/// The four products of multi-head attention, each D → D, heads stacked.
///
/// Keys and values carry no bias. A key bias adds the same number to every
/// logit of a query, which softmax does not see; a value bias passes through
/// the weighted mean unchanged and is folded into `proj`'s bias on import.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Queries.
    pub query: Linear,
    /// Weights of the keys, shape `[D, D]`.
    pub key: Array2<f32>,
    /// Weights of the values, shape `[D, D]`.
    pub value: Array2<f32>,
    /// Output projection.
    pub proj: Linear,
}

/// Two linear layers with a GELU between them: a dense MLP or one expert.
#[derive(Clone, Debug, PartialEq)]
pub struct Expert {
    /// D → hidden.
    pub fc1: Linear,
    /// hidden → D.
    pub fc2: Linear,
}

/// What follows attention in a block.
#[derive(Clone, Debug, PartialEq)]
pub enum FeedForward {
    /// One MLP for every token.
    Dense(Expert),
    /// A mixture of experts.
    Experts {
        /// One gate per task, each of shape `[E, D]`, no bias.
        gates: Vec<Array2<f32>>,
        /// The experts, shared by all tasks.
        experts: Vec<Expert>,
    },
}

/// One transformer block: x += attention(norm1(x)); x += feed_forward(norm2(x)).
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Before attention.
    pub norm1: Norm,
    /// Self-attention.
    pub attention: Attention,
    /// Before the feed-forward part; also what the gates see.
    pub norm2: Norm,
    /// MLP or mixture of experts.
    pub feed_forward: FeedForward,
}

/// The head of one task: LayerNorm and a linear layer on each patch token.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Before the linear layer.
    pub norm: Norm,
    /// D → `Task::head_channels`.
    pub linear: Linear,
}

/// A network with its weights in f32.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Shape.
    pub config: ModelConfig,
    /// Patch embedding; input columns run over channel, row, column inside the patch,
    /// input values are pixel / 256.
    pub patch_embed: Linear,
    /// Positional embedding, shape `[T, D]`, with the cls token added into row 0.
    pub position: Array2<f32>,
    /// The transformer blocks in order.
    pub blocks: Vec<Block>,
    /// One per task; none for a task that is answered by the encoder's tokens.
    pub heads: Vec<Option<Head>>,
    /// Where the weights come from.
    pub provenance: Provenance,
}
