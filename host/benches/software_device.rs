//! The software device against the float reference, on one picture with both
//! tasks at the full Edge-MoE shape, in one run.

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use edge_moe::compile::compile;
use edge_moe::compiled::CompiledModel;
use edge_moe::device::SoftwareDevice;
use edge_moe::model::{float_reference, read_safetensors};
use edge_moe::picture;
use edge_moe::quantise::calibrate;
use edge_moe::runtime::Runtime;
use edge_moe_isa::arch::ArchConfig;

fn full_shape(criterion: &mut Criterion) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let model = read_safetensors(&root.join("models/m3vit-street-tiny.f16.safetensors")).unwrap();
    let picture = picture::read(&root.join("samples/street/000.png")).unwrap();
    let pictures = std::slice::from_ref(&picture);
    let ranges = calibrate(&model, pictures, &|| ());
    let compilation = compile(&model, &ArchConfig::edge(), &ranges, pictures.len()).unwrap();
    let compiled = CompiledModel::from_bytes(compilation.artifact).unwrap();
    let mut runtime = Runtime::new(SoftwareDevice::new(), compiled).unwrap();
    let program = runtime.program_for(None).unwrap();
    let patches = picture::patches(&picture, model.config.patch);

    let mut group = criterion.benchmark_group("full shape, both tasks");
    group.sample_size(20);
    group.bench_function("software device", |bench| bench.iter(|| runtime.run(&picture, program).unwrap()));
    group.bench_function("float reference", |bench| {
        bench.iter(|| float_reference::run(&model, &patches, &[0, 1], &mut ()));
    });
    group.finish();
}

criterion_group!(benches, full_shape);
criterion_main!(benches);
