use std::collections::HashSet;

use prost::Message;

use super::proto::{GraphProto, TensorProto};
use super::*;
use crate::model::{FeedForward, random, sample_shapes};

fn mixture() -> Model {
    let (config, depths) = sample_shapes::mixture();
    random(&config, depths, 5).unwrap()
}

fn decoded(model: &Model, tasks: &[usize]) -> (ModelProto, GraphProto) {
    let message = ModelProto::decode(&*to_onnx(model, tasks).unwrap().bytes).unwrap();
    let graph = message.graph.clone().unwrap();
    (message, graph)
}

fn constant<'a>(graph: &'a GraphProto, name: &str) -> &'a TensorProto {
    graph.initializer.iter().find(|tensor| tensor.name == name).unwrap()
}

#[test]
fn every_value_is_made_before_it_is_used() {
    let (_, graph) = decoded(&mixture(), &[0, 1]);
    let mut known: HashSet<&String> = graph.initializer.iter().map(|tensor| &tensor.name).collect();
    known.insert(&graph.input[0].name);
    for node in &graph.node {
        for input in &node.input {
            assert!(known.contains(input), "{} takes {input}", node.name);
        }
        known.extend(&node.output);
    }
    assert!(graph.output.iter().all(|output| known.contains(&output.name)));
}

#[test]
fn every_constant_is_used_and_stored_once() {
    let model = mixture();
    let (_, graph) = decoded(&model, &[0, 1]);
    let used: HashSet<&String> = graph.node.iter().flat_map(|node| &node.input).collect();
    assert!(graph.initializer.iter().all(|tensor| used.contains(&tensor.name)));
    let names: HashSet<&String> = graph.initializer.iter().map(|tensor| &tensor.name).collect();
    assert_eq!(names.len(), graph.initializer.len());
    let weights = graph.initializer.iter().filter(|tensor| !tensor.name.starts_with("constant."));
    let values: usize = weights.map(|tensor| tensor.raw_data.len() / 4).sum();
    assert_eq!(values as u64, model.provenance.parameters);
}

#[test]
fn weights_are_the_models_bits() {
    let model = mixture();
    let (_, graph) = decoded(&model, &[1]);
    let FeedForward::Experts { gates, experts } = &model.blocks[3].feed_forward else {
        panic!("block 3 is MoE")
    };
    for (name, weight) in [
        ("block3.expert2.fc1.weight", &experts[2].fc1.weight),
        ("depth.block3.gate.weight", &gates[1]),
        ("depth.head.weight", &model.heads[1].as_ref().unwrap().linear.weight),
    ] {
        let tensor = constant(&graph, name);
        let bytes: Vec<u8> = weight.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(tensor.dims, [weight.nrows() as i64, weight.ncols() as i64]);
        assert!(tensor.raw_data == bytes, "{name}");
    }
}

#[test]
fn tasks_share_what_comes_before_the_first_gate() {
    let (_, both) = decoded(&mixture(), &[0, 1]);
    let count = |ending: &str| both.node.iter().filter(|node| node.name.ends_with(ending)).count();
    assert_eq!((count("block0.query"), count("block1.query"), count("block1.norm2")), (1, 1, 1));
    assert_eq!((count("block1.expert3.fc1"), count("block2.query")), (2, 2));

    let (_, one) = decoded(&mixture(), &[1]);
    assert_eq!(one.output.len(), 1);
    assert_eq!(one.output[0].name, "depth");
    assert!(one.node.iter().all(|node| !node.name.starts_with("semseg")));
    assert!(one.initializer.iter().all(|tensor| !tensor.name.starts_with("semseg")));
}

#[test]
fn the_file_says_what_it_is() {
    let (message, graph) = decoded(&mixture(), &[0, 1]);
    assert_eq!((message.producer_name.as_str(), message.ir_version), ("edge-moe", 8));
    assert_eq!(message.opset_import[0].version, 17);
    let entry =
        |key: &str| message.metadata_props.iter().find(|entry| entry.key == key).unwrap().value.clone();
    assert_eq!((entry("tasks"), entry("top_k")), ("semseg,depth".into(), "2".into()));
    assert!(entry("provenance").starts_with("random weights"));
    assert!(graph.output[0].doc_string.ends_with("road, sky, vehicle"));
    assert!(graph.output[1].doc_string.contains("exp(value * 1.05 + 2.75), 80)"));
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    assert!(to_onnx(&mixture(), &[0, 1]).unwrap().bytes == to_onnx(&mixture(), &[0, 1]).unwrap().bytes);
}

#[test]
fn a_task_called_like_another_value_is_refused() {
    let mut model = mixture();
    model.config.tasks[0].name = INPUT.into();
    let problem = to_onnx(&model, &[0]).err().unwrap();
    assert_eq!(problem, "two values of the ONNX graph would be called `image`");
}

#[test]
fn what_protobuf_cannot_hold_is_refused() {
    assert_eq!(check_size(MAX_BYTES), Ok(()));
    let problem = check_size(MAX_BYTES + 1).unwrap_err();
    assert!(problem.ends_with("at most 2147483647"), "{problem}");
}
