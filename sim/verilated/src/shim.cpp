// C interface of one Verilated model, compiled into the same shared object.
//
// The build passes VM_TRACE_FST, VM_TRACE_VCD and VM_COVERAGE as 0 or 1, and
// writes ports.inc: one PORT(name, member, bits, is_input) line for each port.

#include "Vmodel.h"
#include "verilated.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
using Tracer = VerilatedFstC;
#elif VM_TRACE_VCD
#include "verilated_vcd_c.h"
using Tracer = VerilatedVcdC;
#endif
#if VM_COVERAGE
#include "verilated_cov.h"
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

namespace {

struct Port {
    const char* name;
    uint32_t bits;
    uint32_t bytes;
    uint32_t is_input;
};

const Port port_table[] = {
#define PORT(name, member, bits, is_input) {name, bits, sizeof(Vmodel::member), is_input},
#include "ports.inc"
#undef PORT
    {nullptr, 0, 0, 0},
};

struct Model {
    VerilatedContext context;
    std::unique_ptr<Vmodel> top;
#if VM_TRACE
    std::unique_ptr<Tracer> tracer;
#endif
    std::string error;

    void evaluate() {
        top->eval();
#if VM_TRACE
        if (tracer) tracer->dump(context.time());
#endif
    }

    void close_trace() {
#if VM_TRACE
        if (!tracer) return;
        tracer->dump(context.time());
        tracer->close();
        tracer.reset();
#endif
    }
};

// Runs `body` with the model's context current on this thread; false when it throws.
template <typename Body>
bool guarded(Model* model, Body body) {
    Verilated::threadContextp(&model->context);
    try {
        body();
        return true;
    } catch (const std::exception& error) {
        model->error = error.what();
    } catch (...) {
        model->error = "C++ exception of unknown type";
    }
    return false;
}

// The same for a model that had no error yet; false from the first error on.
template <typename Body>
bool running(Model* model, Body body) {
    return model->error.empty() && guarded(model, body);
}

// Verilator reseeds its generator by a counter shared by all models of this
// object: one model at a time draws its initial values.
std::mutex initial_values;

void construct(Model* model, int initial, int seed) {
    const std::lock_guard<std::mutex> lock{initial_values};
    model->context.randReset(initial);
    model->context.randSeed(seed);
#if VM_TRACE
    model->context.traceEverOn(true);
#endif
    model->top = std::make_unique<Vmodel>(&model->context, "TOP");
#define PORT(name, member, bits, is_input) \
    if (is_input) std::memset(&model->top->member, 0, sizeof(Vmodel::member));
#include "ports.inc"
#undef PORT
    model->top->eval();
}

std::string located(const char* file, int line, const char* message) {
    if (!file || !*file) return message;
    return std::string{file} + ":" + std::to_string(line) + ": " + message;
}

}  // namespace

// The runtime is compiled with VL_USER_FINISH, VL_USER_STOP and VL_USER_FATAL:
// its own versions end the process.
void vl_finish(const char*, int, const char*) { Verilated::threadContextp()->gotFinish(true); }

void vl_fatal(const char* file, int line, const char*, const char* message) {
    throw std::runtime_error{located(file, line, message)};
}

void vl_stop(const char* file, int line, const char* scope) {
    vl_fatal(file, line, scope, "$stop, or an assertion that failed");
}

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT const Port* verilated_ports() { return port_table; }

EXPORT Model* verilated_new(int initial, int seed) {
    auto* model = new Model;
    guarded(model, [&] { construct(model, initial, seed); });
    return model;
}

EXPORT void verilated_free(Model* model) {
    guarded(model, [&] { model->close_trace(); });
    running(model, [&] { model->top->final(); });
    delete model;
}

// Writes the address of each port, in the order of the table.
EXPORT void verilated_addresses(Model* model, void** addresses) {
#define PORT(name, member, bits, is_input) *addresses++ = &model->top->member;
#include "ports.inc"
#undef PORT
}

// The message of the first error, empty while there is none.
EXPORT const char* verilated_error(const Model* model) { return model->error.c_str(); }

EXPORT uint64_t verilated_time(const Model* model) { return model->context.time(); }

EXPORT bool verilated_finished(const Model* model) { return model->context.gotFinish(); }

EXPORT bool verilated_eval(Model* model) {
    return running(model, [&] { model->top->eval(); });
}

EXPORT bool verilated_advance(Model* model, uint64_t time) {
    return running(model, [&] {
        model->evaluate();
        model->context.timeInc(time);
    });
}

// Full clock periods: the clock rises, half a period passes, it falls, the other half passes.
EXPORT bool verilated_clock(Model* model, uint8_t* clock, uint64_t half_period, uint64_t periods) {
    return running(model, [&] {
        for (uint64_t period = 0; period < periods && !model->context.gotFinish(); ++period) {
            *clock = 1;
            model->evaluate();
            model->context.timeInc(half_period);
            *clock = 0;
            model->evaluate();
            model->context.timeInc(half_period);
        }
    });
}

#if VM_TRACE
EXPORT bool verilated_open_trace(Model* model, const char* path) {
    return running(model, [&] {
        model->tracer = std::make_unique<Tracer>();
        model->top->trace(model->tracer.get(), 99);
        model->tracer->open(path);
        if (!model->tracer->isOpen()) model->tracer.reset();
    }) && model->tracer;
}

EXPORT bool verilated_close_trace(Model* model) {
    return guarded(model, [&] { model->close_trace(); });
}
#endif

#if VM_COVERAGE
EXPORT bool verilated_write_coverage(Model* model, const char* path) {
    return running(model, [&] { model->context.coveragep()->write(path); });
}
#endif
