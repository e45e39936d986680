//! The runtime: a picture in, task outputs and routing out, on any device.

use std::sync::Arc;

use edge_moe_isa::artifact::{Output, Program, Routing};
use edge_moe_kernels::route::{self, Choice};
use image::RgbImage;
use ndarray::Array2;

use crate::compile::ALL_TASKS;
use crate::compiled::CompiledModel;
use crate::device::Device;
use crate::{Error, Result, picture};

/// A device with a model loaded.
pub struct Runtime<D> {
    device: D,
    model: Arc<CompiledModel>,
}

/// What a program left for one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// One per task of the program.
    pub outputs: Vec<TaskOutput>,
    /// One per task and MoE block, task by task.
    pub routing: Vec<BlockRouting>,
}

/// The numbers of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskOutput {
    /// Index of the task in the model card.
    pub task: usize,
    /// Shape [`crate::model::ModelConfig::answer_shape`], as the device computed them.
    pub values: Array2<i16>,
    /// Value of one step.
    pub scale: f64,
}

impl TaskOutput {
    /// The numbers in the units of the head, or of the residual without one.
    pub fn dequantised(&self) -> Array2<f32> {
        self.values.mapv(|value| (f64::from(value) * self.scale) as f32)
    }
}

/// Where the tokens of one task went in one MoE block.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockRouting {
    /// Index of the task in the model card.
    pub task: usize,
    /// Index of the block.
    pub block: usize,
    /// Number of experts there are.
    pub experts: usize,
    /// The experts of each token (cls first), best first.
    pub choices: Vec<Vec<Choice>>,
}

impl BlockRouting {
    /// Tokens that visit each expert, over all choices.
    pub fn tokens_per_expert(&self) -> Vec<usize> {
        let mut tokens = vec![0; self.experts];
        for choice in self.choices.iter().flatten() {
            tokens[usize::from(choice.expert)] += 1;
        }
        tokens
    }
}

impl<D: Device> Runtime<D> {
    /// Loads a model onto a device.
    pub fn new(mut device: D, model: Arc<CompiledModel>) -> Result<Self> {
        device.load(Arc::clone(model.executable()))?;
        Ok(Self { device, model })
    }

    /// The device.
    pub fn device(&mut self) -> &mut D {
        &mut self.device
    }

    /// The model.
    pub fn model(&self) -> &Arc<CompiledModel> {
        &self.model
    }

    /// Index of the program that answers one task, or all of them.
    pub fn program_for(&self, task: Option<&str>) -> Result<usize> {
        let tasks = &self.model.card().config.tasks;
        let name = task.unwrap_or(if tasks.len() > 1 { ALL_TASKS } else { &tasks[0].name });
        self.model.program(name).ok_or_else(|| {
            let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
            Error::usage(format!("task `{name}`"), "the model does not answer it")
                .hint(format!("its tasks are {}", names.join(", ")))
        })
    }

    /// Answers a picture of any size with a program.
    pub fn run(&mut self, picture: &RgbImage, program: usize) -> Result<Answers> {
        self.write_picture(picture)?;
        self.device.run(program)?;
        self.read_answers(program)
    }

    /// Writes a picture of any size into the device's memory, as the network sees it.
    pub fn write_picture(&mut self, picture: &RgbImage) -> Result<()> {
        let config = &self.model.card().config;
        let fitted = picture::fit(picture, config.image_width as u32, config.image_height as u32);
        let patches = picture::patches(&fitted, config.patch);
        let mut bytes = vec![0; 2 * patches.len()];
        for (bytes, &value) in bytes.as_chunks_mut().0.iter_mut().zip(&patches) {
            *bytes = i16::from(value).to_le_bytes();
        }
        self.device.write_memory(self.model.manifest().input.address, &bytes)
    }

    /// Reads what a program left in the device's memory.
    pub fn read_answers(&mut self, program: usize) -> Result<Answers> {
        let model = Arc::clone(&self.model);
        let Program { outputs, routing, .. } = &model.manifest().programs[program];
        let outputs = outputs.iter().map(|output| self.read_output(output)).collect::<Result<_>>()?;
        let routing = routing.iter().map(|routing| self.read_routing(routing)).collect::<Result<_>>()?;
        Ok(Answers { outputs, routing })
    }

    fn read_output(&mut self, output: &Output) -> Result<TaskOutput> {
        let Output { address, patches, channels, stride, scale, .. } = *output;
        let rows = self.read_rows(address, patches as usize, channels as usize, stride as usize)?;
        Ok(TaskOutput { task: self.task_index(&output.task), values: rows, scale })
    }

    fn read_routing(&mut self, routing: &Routing) -> Result<BlockRouting> {
        let Routing { address, tokens, experts, stride, top_k, .. } = *routing;
        let logits = self.read_rows(address, tokens as usize, experts as usize, stride as usize)?;
        let choose = |row: ndarray::ArrayView1<'_, i16>| {
            let logits = row.to_slice().expect("rows stand in one piece");
            route::choose(logits, top_k as usize).collect()
        };
        Ok(BlockRouting {
            task: self.task_index(&routing.task),
            block: routing.block as usize,
            experts: experts as usize,
            choices: logits.outer_iter().map(choose).collect(),
        })
    }

    /// Tasks named in a checked artifact are in its model card.
    fn task_index(&self, name: &str) -> usize {
        let tasks = &self.model.card().config.tasks;
        tasks.iter().position(|task| task.name == name).expect("artifact was checked")
    }

    fn read_rows(&mut self, address: u64, rows: usize, columns: usize, stride: usize) -> Result<Array2<i16>> {
        let mut bytes = vec![0; rows * stride];
        self.device.read_memory(address, &mut bytes)?;
        let values = bytes.chunks(stride).flat_map(|row| row[..2 * columns].as_chunks().0);
        let values = values.map(|&value| i16::from_le_bytes(value)).collect();
        Ok(Array2::from_shape_vec((rows, columns), values).expect("every row holds its columns"))
    }
}
