"""ONNX Runtime in a process of its own, for benchmarks/benches/cpu.

    onnxruntime_worker.py MODEL THREADS fp32|int8

Loads an ONNX file whose only input is a picture, and obeys lines on standard input until it ends,
each with one line of JSON:

    (at the start)  {"engine": ..., "version": ..., "computes": ...}
    picture FILE    reads the raw bytes of a picture       {"bytes": N}
    answer          runs once                              {"outputs": {NAME: [numbers]}}
    run N           runs N times                           {"seconds": S}

int8 quantises the file's weights first and its activations as they appear.
"""

import json
import logging
import os
import sys
import tempfile
import time

try:
    import numpy
    import onnxruntime
except ImportError as missing:
    sys.exit(f"{missing} for {sys.executable}; `make bench` installs benchmarks/requirements.txt")


def quantised(path, folder):
    """Path of the int8 form of a model."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    target = os.path.join(folder, "int8.onnx")
    # Linear layers count as products; a warning recommends a shape inference that changes nothing here.
    logging.getLogger().setLevel(logging.ERROR)
    quantize_dynamic(path, target, ["MatMul"], per_channel=True, weight_type=QuantType.QInt8)
    return target


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def load(path, threads, precision):
    if precision == "fp32":
        return session(path, threads), "f32"
    with tempfile.TemporaryDirectory() as folder:
        loaded = session(quantised(path, folder), threads)
    return loaded, "int8 weights per channel, 8-bit activations with a scale per tensor found as they appear; attention in f32"


def say(**answer):
    print(json.dumps(answer), flush=True)


def main():
    path, threads, precision = sys.argv[1:]
    model, computes = load(path, int(threads), precision)
    source = model.get_inputs()[0]
    names = [output.name for output in model.get_outputs()]
    feed = {}
    say(engine="onnxruntime", version=onnxruntime.__version__, computes=computes)
    for line in sys.stdin:
        command, _, argument = line.rstrip("\n").partition(" ")
        if command == "picture":
            pixels = numpy.fromfile(argument, numpy.uint8)
            feed[source.name] = pixels.reshape(source.shape)
            say(bytes=pixels.size)
        elif command == "answer":
            outputs = model.run(names, feed)
            say(outputs={name: output.ravel().tolist() for name, output in zip(names, outputs)})
        elif command == "run":
            start = time.perf_counter()
            for _ in range(int(argument)):
                model.run(names, feed)
            say(seconds=time.perf_counter() - start)
        else:
            sys.exit(f"unknown command {line!r}")


if __name__ == "__main__":
    main()
