//! Tokens that visit other experts than in the float reference.

use std::collections::BTreeSet;

use edge_moe_kernels::route::Choice;
use ndarray::{ArrayView1, ArrayView2};
use serde::Serialize;

use crate::model::{Observer, Point, Routing, Task};
use crate::runtime::BlockRouting;

/// Where the tokens of a picture go in the float reference: task, block and routing.
#[derive(Clone, Debug, Default)]
pub struct Routes(pub Vec<(usize, usize, Routing)>);

impl Routes {
    /// The routing of a task in a block.
    ///
    /// # Panics
    /// If the block has no experts.
    pub fn of(&self, task: usize, block: usize) -> &Routing {
        let found = self.0.iter().find(|entry| (entry.0, entry.1) == (task, block));
        &found.expect("both route in the same blocks").2
    }
}

impl Observer for Routes {
    fn tensor(&mut self, _: Point, _: ArrayView2<'_, f32>) {}

    fn routing(&mut self, task: usize, block: usize, routing: &Routing) {
        self.0.push((task, block, routing.clone()));
    }
}

/// How many tokens visit another set of experts than in the float reference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExpertSets {
    /// Tokens with another set, over all tasks, blocks and pictures.
    pub changed: u64,
    /// Tokens that were routed: each counts once in every block and task.
    pub tokens: u64,
    /// `changed / tokens`; none without experts.
    pub share: Option<f64>,
    /// The same for every task and block.
    pub by_block: Vec<BlockSets>,
}

/// How many tokens of one task visit another set of experts in one block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BlockSets {
    /// Name of the task.
    pub task: String,
    /// Index of the block.
    pub block: usize,
    /// Tokens with another set.
    pub changed: u64,
    /// All tokens.
    pub tokens: u64,
}

/// Counts tokens whose set of experts differs, picture by picture.
#[derive(Clone, Debug, Default)]
pub struct SetChanges(Vec<Count>);

#[derive(Clone, Debug)]
struct Count {
    task: usize,
    block: usize,
    changed: u64,
    tokens: u64,
}

impl SetChanges {
    /// Counts one picture. The order in which experts were chosen does not matter.
    ///
    /// # Panics
    /// If both do not route in the same blocks.
    pub fn add(&mut self, float: &Routes, integer: &[BlockRouting]) {
        for routing in integer {
            let &BlockRouting { task, block, .. } = routing;
            let experts = &float.of(task, block).experts;
            let differ = |(float, choices): &(ArrayView1<'_, usize>, &Vec<Choice>)| {
                let float: BTreeSet<usize> = float.iter().copied().collect();
                float != choices.iter().map(|choice| choice.expert.into()).collect()
            };
            let changed = experts.outer_iter().zip(&routing.choices).filter(differ).count() as u64;
            self.count(Count { task, block, changed, tokens: routing.choices.len() as u64 });
        }
    }

    fn count(&mut self, count: Count) {
        let same = |other: &&mut Count| (other.task, other.block) == (count.task, count.block);
        match self.0.iter_mut().find(same) {
            Some(known) => {
                known.changed += count.changed;
                known.tokens += count.tokens;
            }
            None => self.0.push(count),
        }
    }

    /// Everything counted so far; `tasks` are the model's.
    pub fn report(&self, tasks: &[Task]) -> ExpertSets {
        let changed = self.0.iter().map(|count| count.changed).sum();
        let tokens = self.0.iter().map(|count| count.tokens).sum();
        let block = |&Count { task, block, changed, tokens }: &Count| BlockSets {
            task: tasks[task].name.clone(),
            block,
            changed,
            tokens,
        };
        ExpertSets {
            changed,
            tokens,
            share: (tokens > 0).then(|| changed as f64 / tokens as f64),
            by_block: self.0.iter().map(block).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::model::sample_shapes;

    #[test]
    fn sets_are_compared_without_order_and_counted_by_block() {
        let float = |experts: Array2<usize>| Routing { scores: Array2::zeros(experts.raw_dim()), experts };
        let routes = Routes(vec![
            (0, 1, float(array![[0, 1], [2, 3], [1, 2]])),
            (1, 1, float(array![[0, 1], [0, 1], [0, 1]])),
        ]);
        let choice = |expert| Choice { expert, score: 0 };
        let block = |task, sets: [[u16; 2]; 3]| BlockRouting {
            task,
            block: 1,
            experts: 4,
            choices: sets.map(|set| set.map(choice).to_vec()).to_vec(),
        };
        let integer = [block(0, [[1, 0], [2, 0], [1, 2]]), block(1, [[0, 1], [1, 0], [0, 1]])];
        let mut changes = SetChanges::default();
        changes.add(&routes, &integer);
        changes.add(&routes, &integer);
        let (config, _) = sample_shapes::mixture();
        let sets = changes.report(&config.tasks);
        assert_eq!((sets.changed, sets.tokens, sets.share), (2, 12, Some(2.0 / 12.0)));
        let by_block: Vec<_> = sets
            .by_block
            .iter()
            .map(|sets| (sets.task.as_str(), sets.block, sets.changed, sets.tokens))
            .collect();
        assert_eq!(by_block, [("semseg", 1, 2, 6), ("depth", 1, 0, 6)]);
        assert_eq!(SetChanges::default().report(&config.tasks).share, None);
    }
}
