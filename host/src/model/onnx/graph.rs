//! An ONNX graph under construction.

use std::collections::HashSet;

use ndarray::{ArrayView, Dimension};

use super::proto::{
    AttributeProto, AttributeType, DimensionProto, ElementType, GraphProto, NodeProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

/// A graph whose nodes are added in the order in which they run.
///
/// Every value is known by its name; a node and its only output share theirs.
#[derive(Default)]
pub struct Graph {
    graph: GraphProto,
    constants: HashSet<String>,
}

impl Graph {
    /// Adds a node with one output; returns the output's name.
    pub fn node(
        &mut self,
        op: &str,
        name: String,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) -> String {
        self.node_with_outputs(op, name.clone(), inputs, vec![name.clone()], attributes);
        name
    }

    /// Adds a node.
    pub fn node_with_outputs(
        &mut self,
        op: &str,
        name: String,
        inputs: &[&str],
        outputs: Vec<String>,
        attributes: Vec<AttributeProto>,
    ) {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|input| input.to_string()).collect(),
            output: outputs,
            name,
            op_type: op.to_string(),
            attribute: attributes,
            doc_string: String::new(),
        });
    }

    /// Says something about the last node, for people.
    pub fn describe(&mut self, text: &str) {
        self.graph.node.last_mut().expect("there is a node").doc_string = text.to_string();
    }

    /// Adds a constant of numbers, unless there is one of this name; returns its name.
    pub fn floats<D: Dimension>(&mut self, name: String, values: ArrayView<'_, f32, D>) -> String {
        let bytes = || values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, values.shape(), ElementType::F32, bytes)
    }

    /// Adds a constant of indices or sizes, unless there is one of this name; returns its name.
    pub fn integers<D: Dimension>(&mut self, name: String, values: ArrayView<'_, i64, D>) -> String {
        let bytes = || values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, values.shape(), ElementType::I64, bytes)
    }

    fn constant(
        &mut self,
        name: String,
        shape: &[usize],
        element: ElementType,
        bytes: impl FnOnce() -> Vec<u8>,
    ) -> String {
        if self.constants.insert(name.clone()) {
            self.graph.initializer.push(TensorProto {
                dims: shape.iter().map(|&size| size as i64).collect(),
                data_type: element as i32,
                name: name.clone(),
                raw_data: bytes(),
            });
        }
        name
    }

    /// Declares an input of the graph.
    pub fn input(&mut self, name: &str, element: ElementType, shape: &[usize], doc: String) {
        self.graph.input.push(value(name, element, shape, doc));
    }

    /// Declares an output of the graph.
    pub fn output(&mut self, name: &str, element: ElementType, shape: &[usize], doc: String) {
        self.graph.output.push(value(name, element, shape, doc));
    }

    /// The graph, if no two of its values have the same name.
    pub fn finish(mut self, name: &str) -> Result<GraphProto, String> {
        self.graph.name = name.to_string();
        let inputs = self.graph.input.iter().map(|input| &input.name);
        let mut names = HashSet::new();
        for name in inputs.chain(&self.constants).chain(self.graph.node.iter().flat_map(|node| &node.output))
        {
            if !names.insert(name) {
                return Err(format!("two values of the ONNX graph would be called `{name}`"));
            }
        }
        Ok(self.graph)
    }
}

/// A whole number that a node is told.
pub fn int(name: &str, value: i64) -> AttributeProto {
    attribute(name, AttributeType::Int, |attribute| attribute.i = Some(value))
}

/// Whole numbers that a node is told.
pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    attribute(name, AttributeType::Ints, |attribute| attribute.ints = values.to_vec())
}

/// A number that a node is told.
pub fn float(name: &str, value: f32) -> AttributeProto {
    attribute(name, AttributeType::Float, |attribute| attribute.f = Some(value))
}

fn attribute(name: &str, kind: AttributeType, fill: impl FnOnce(&mut AttributeProto)) -> AttributeProto {
    let mut attribute =
        AttributeProto { name: name.to_string(), r#type: kind as i32, ..AttributeProto::default() };
    fill(&mut attribute);
    attribute
}

fn value(name: &str, element: ElementType, shape: &[usize], doc_string: String) -> ValueInfoProto {
    let dim = shape.iter().map(|&size| DimensionProto { dim_value: Some(size as i64) }).collect();
    let tensor = TensorTypeProto { elem_type: element as i32, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: name.to_string(),
        r#type: Some(TypeProto { tensor_type: Some(tensor) }),
        doc_string,
    }
}
