//! `edge-moe eval`: scores on labelled pictures, integer and float side by side.

use std::path::PathBuf;

use clap::Args;
use edge_moe::evaluate::{Evaluation, TaskScores, evaluate};
use edge_moe::model::read_safetensors;
use edge_moe::runtime::Runtime;
use edge_moe::{Error, Result, picture};
use indicatif::ProgressBar;

use super::device::DeviceOptions;
use super::load::{CompileOptions, Loaded, load};
use super::table::{number, table};
use super::{print, print_json, progress};

#[derive(Args)]
pub struct Arguments {
    /// Float weights (.safetensors) or a compiled model (.emoe)
    model: PathBuf,

    /// Pictures NAME.png, each with labels NAME.class.png and NAME.depth.png beside it
    directory: PathBuf,

    /// Float weights to compare a compiled model with
    #[arg(long, value_name = "MODEL")]
    float: Option<PathBuf>,

    #[command(flatten)]
    compile: CompileOptions,

    /// Print the scores as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceOptions,
}

pub fn execute(arguments: &Arguments) -> Result<()> {
    let pictures = picture::list_directory(&arguments.directory)?;
    let Loaded { compiled, float } = load(&arguments.model, &arguments.compile, &pictures)?;
    let float = match (&arguments.float, float) {
        (None, float) => float,
        (Some(path), None) => Some(read_safetensors(path)?),
        (Some(_), Some(_)) => {
            return Err(Error::usage("--float", "the model itself has float weights already"));
        }
    };
    let mut runtime = Runtime::new(arguments.device.open(&ProgressBar::hidden(), false)?, compiled)?;
    let bar = progress::bar("evaluating", "pictures", pictures.len());
    let evaluation = evaluate(&mut runtime, float.as_ref(), &pictures, &|| bar.inc(1))?;
    bar.finish_and_clear();
    if arguments.json { print_json(&evaluation) } else { print(&text(&evaluation)) }
}

fn text(evaluation: &Evaluation) -> String {
    let nothing = TaskScores::default();
    let float = evaluation.float.as_ref().unwrap_or(&nothing);
    let integer = &evaluation.integer;
    let row = |name: &str, float: Option<f64>, integer: Option<f64>, digits: usize| {
        let difference = float.zip(integer).map(|(float, integer)| integer - float);
        vec![name.to_string(), number(float, digits), number(integer, digits), number(difference, digits)]
    };
    let mut rows = vec![
        row("mIoU", float.miou, integer.miou, 4),
        row("pixel accuracy", float.pixel_accuracy, integer.pixel_accuracy, 4),
        row("depth RMSE [m]", float.depth_rmse_m, integer.depth_rmse_m, 3),
    ];
    for class in &integer.class_iou {
        let same = float.class_iou.iter().find(|other| other.class == class.class);
        rows.push(row(&format!("IoU {}", class.class), same.and_then(|other| other.iou), class.iou, 4));
    }
    let mut text = format!("{} scenes\n\n", evaluation.scenes);
    text += &table(&["", "float", "integer", "difference"], &rows);
    if let Some(share) = evaluation.expert_sets_changed {
        text += &format!(
            "\nexpert sets changed: {:.2} % of tokens, over all tasks and MoE blocks\n",
            share * 100.0
        );
    }
    text
}
