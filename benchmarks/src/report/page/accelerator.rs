//! Sections on the accelerator's cycles, and the headline beside others.

use std::collections::BTreeSet;

use edge_moe::bitstream::Manifest;
use edge_moe::compile::ALL_TASKS;
use edge_moe::profile::Kind;
use edge_moe::profile::plots::grouped;
use edge_moe_isa::registers::Activity;

use super::{image, quoted, section};
use crate::accelerator::{Accelerator, Counts, Run};
use crate::quoted::System;
use crate::report::markdown::{UNKNOWN, millions, percent, short, table};
use crate::report::plots::Plot;
use crate::report::{Results, TASK};

/// Assumed clocks to which times refer, in MHz.
const CLOCKS_MHZ: [(&str, &[f64]); 3] =
    [("ecp5-85", &[80.0]), ("edge", &[150.0, 300.0]), ("zcu102", &[150.0, 300.0])];
/// The clock of the published accelerators on the same board.
const COMPARED_MHZ: f64 = 300.0;

fn run<'a>(accelerator: &'a Accelerator, arch: &str, program: &str) -> Option<&'a Run> {
    accelerator.runs.iter().find(|run| run.arch == arch && run.program == program)
}

pub fn summary(results: &Results, plots: &[Plot]) -> String {
    let Results { accelerator, quoted: systems, .. } = results;
    section("One picture, one task", accelerator.as_ref(), |accelerator| {
        let own = ["edge", "zcu102"].iter().filter_map(|arch| run(accelerator, arch, TASK));
        let rows: Vec<Vec<String>> = own
            .flat_map(|run| [headline(run), limit(run)])
            .chain(systems.iter().filter(|system| system.cycles().is_some()).map(headline_quoted))
            .collect();
        let head = [
            "accelerator",
            "evidence",
            "million cycles",
            "ms",
            "multipliers or DSP",
            "million cycles × multipliers",
            "MB of memory traffic",
        ];
        format!(
            "The full Edge-MoE shape, trained, `{}` for ours. Ours are simulated in RTL and have run on no FPGA: their \
             milliseconds are estimates at {COMPARED_MHZ} MHz, the clock of the others on ZCU102. The others were measured on \
             hardware by their authors. The limit is what as many multipliers need if each does a useful product in every \
             cycle. A multiplier of our lanes takes 9 × 16 bits; norm, softmax and requantising need DSP blocks besides \
             ([below](#resources)), which the figures of the others that count DSP blocks include.\n\n{}\n{}",
            accelerator.picture,
            table(&head, 2, &rows),
            image(plots, "cycles"),
        )
    })
}

fn headline(run: &Run) -> Vec<String> {
    let cycles = run.simulated.cycles as f64;
    vec![
        format!("`{}`", run.arch),
        "simulated".into(),
        millions(cycles),
        format!("{:.2} estimated", ms(cycles, COMPARED_MHZ)),
        run.multipliers.to_string(),
        grouped((cycles * f64::from(run.multipliers) / 1e6).round() as u64),
        format!("{:.1}", run.simulated.bytes() as f64 / 1e6),
    ]
}

fn limit(run: &Run) -> Vec<String> {
    let cycles = run.ideal_cycles as f64;
    vec![
        format!("limit of {} multipliers", run.multipliers),
        "arithmetic".into(),
        millions(cycles),
        format!("{:.2} estimated", ms(cycles, COMPARED_MHZ)),
        run.multipliers.to_string(),
        grouped((run.macs as f64 / 1e6).round() as u64),
        String::new(),
    ]
}

fn headline_quoted(system: &System) -> Vec<String> {
    let cycles = system.cycles().unwrap_or_default();
    let units = match system.multipliers {
        Some(_) => quoted(system.multipliers, short),
        None => quoted(system.dsp, |dsp| format!("{dsp} DSP")),
    };
    let product = system.units().map(|units| grouped((cycles * units.value / 1e6).round() as u64));
    vec![
        format!("{}, {}", system.name, system.device),
        "quoted, measured".into(),
        format!("{} A", millions(cycles)),
        quoted(Some(system.ms), |ms| ms.to_string()),
        units,
        product.map_or(UNKNOWN.into(), |product| format!("{product} A")),
        quoted(system.megabytes, |megabytes| megabytes.to_string()),
    ]
}

/// Milliseconds of some cycles at a clock.
fn ms(cycles: f64, clock_mhz: f64) -> f64 {
    cycles / (1e3 * clock_mhz)
}

pub fn accelerator(accelerator: Option<&Accelerator>, plots: &[Plot]) -> String {
    section("The accelerator in cycles", accelerator, |accelerator| {
        let head = [
            "architecture",
            "program",
            "simulated cycles",
            "estimated cycles",
            "model off by",
            "bound",
            "limit",
            "multipliers in use",
            "bytes read",
            "bytes written",
        ];
        let rows: Vec<Vec<String>> = accelerator.runs.iter().map(cycles_row).collect();
        format!(
            "{}\n\n{}\n{}### Kinds of layers\n\n{}{}\n### What the lanes do\n\nShares of the simulated cycles: beats, in which all lanes \
             multiply, and what they wait for ([registers.md](registers.md)).\n\n{}\n{}",
            subject(accelerator),
            table(&head, 2, &rows),
            sharing(accelerator),
            image(plots, "kinds"),
            kinds_table(accelerator),
            activities_table(accelerator),
            image(plots, "roofline"),
        )
    })
}

fn subject(accelerator: &Accelerator) -> String {
    let Accelerator { picture, memory_latency, runs, .. } = accelerator;
    let models = |trained: bool| {
        let of = |run: &&Run| run.trained == trained;
        let runs = || runs.iter().filter(of);
        let archs: BTreeSet<String> = runs().map(|run| format!("`{}`", run.arch)).collect();
        (runs().next().map_or("", |run| &run.model), archs.into_iter().collect::<Vec<_>>().join(", "))
    };
    let ((trained, archs), (random, small)) = (models(true), models(false));
    format!(
        "`{picture}`, scales from `samples/street`. {archs} run `{trained}`, trained, of the full Edge-MoE shape. It does not fit \
         {small}, which runs a {random} (two tasks, nine tokens of 64 channels, four blocks): compare its rows with no others. \
         Memory answers after {memory_latency} cycles and moves the bytes a cycle of each architecture's ports. The bound is the \
         sum over row groups of the longer of compute and load; the limit is products / multipliers."
    )
}

fn cycles_row(run: &Run) -> Vec<String> {
    vec![
        format!("`{}`", run.arch),
        run.program.clone(),
        grouped(run.simulated.cycles),
        grouped(run.estimated.cycles),
        format!("{:+.2} %", 100.0 * run.model_error()),
        grouped(run.bound_cycles),
        grouped(run.ideal_cycles),
        percent(run.simulated.multiplier_use, 1),
        grouped(run.simulated.read_bytes),
        grouped(run.simulated.written_bytes),
    ]
}

/// What all tasks cost over one.
fn sharing(accelerator: &Accelerator) -> String {
    let archs: BTreeSet<&str> =
        accelerator.runs.iter().filter(|run| run.trained).map(|run| run.arch.as_str()).collect();
    let clause = |arch: &&str| {
        let (all, one) = (run(accelerator, arch, ALL_TASKS)?, run(accelerator, arch, TASK)?);
        let ratio = |of: fn(&Counts) -> u64| of(&all.simulated) as f64 / of(&one.simulated) as f64;
        Some(format!(
            "{:.2} times the cycles and {:.2} times the bytes at `{arch}`",
            ratio(|c| c.cycles),
            ratio(Counts::bytes)
        ))
    };
    let clauses: Vec<String> = archs.iter().filter_map(clause).collect();
    format!("All tasks of a picture take, over `{TASK}` alone, {}.\n\n", clauses.join("; "))
}

/// Runs of the task that stands for all.
fn task_runs(accelerator: &Accelerator) -> Vec<&Run> {
    accelerator.runs.iter().filter(|run| run.trained && run.program == TASK).collect()
}

fn kinds_table(accelerator: &Accelerator) -> String {
    let runs = task_runs(accelerator);
    let mut head = vec!["kind".to_string(), "million products".to_string()];
    head.extend(runs.iter().flat_map(|run| [format!("`{}` cycles", run.arch), "in use".to_string()]));
    let row = |kind: &Kind| {
        let parts: Vec<_> = runs
            .iter()
            .map(|run| run.simulated.kinds.iter().find(|part| part.kind == *kind))
            .collect::<Option<_>>()?;
        let mut row = vec![kind.name().to_string(), millions(parts.first()?.macs as f64)];
        row.extend(parts.iter().flat_map(|part| [grouped(part.cycles), percent(part.multiplier_use, 1)]));
        Some(row)
    };
    let rows: Vec<Vec<String>> = Kind::ALL.iter().filter_map(row).collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    format!("`{TASK}`, simulated, with the share of the multipliers in use:\n\n{}", table(&head, 1, &rows))
}

fn activities_table(accelerator: &Accelerator) -> String {
    let head: Vec<&str> = ["architecture", "program"]
        .into_iter()
        .chain(Activity::ALL.iter().map(|activity| activity.name()))
        .collect();
    let row = |run: &Run| {
        let share = |activity: &Activity| {
            let cycles = run.simulated.activities.get(activity.name()).copied().unwrap_or(0);
            percent(cycles as f64 / run.simulated.cycles as f64, 2)
        };
        let mut row = vec![format!("`{}`", run.arch), run.program.clone()];
        row.extend(Activity::ALL.iter().map(share));
        row
    };
    table(&head, 2, &accelerator.runs.iter().map(row).collect::<Vec<_>>())
}

pub fn times(accelerator: Option<&Accelerator>, bitstreams: &[Manifest]) -> String {
    section("Time at a clock", accelerator, |accelerator| {
        let assumed = CLOCKS_MHZ
            .iter()
            .flat_map(|(arch, clocks)| clocks.iter().map(|clock| (*arch, *clock, "assumed".to_string())));
        let shipped = bitstreams.iter().map(|manifest| {
            (
                manifest.arch.name.as_str(),
                manifest.timing.clock_mhz,
                format!("of `{}`, post-route", manifest.board),
            )
        });
        let row = |run: &Run, clock: f64, evidence: &str| {
            let time = ms(run.simulated.cycles as f64, clock);
            vec![
                format!("`{}`", run.arch),
                run.program.clone(),
                evidence.to_string(),
                clock.to_string(),
                format!("{time:.2}"),
                format!("{:.1}", 1e3 / time),
            ]
        };
        let rows_of = |(arch, clock, evidence): (&str, f64, String)| -> Vec<Vec<String>> {
            let runs = [TASK, ALL_TASKS].into_iter().filter_map(|program| run(accelerator, arch, program));
            runs.map(|run| row(run, clock, &evidence)).collect()
        };
        let rows: Vec<Vec<String>> = shipped.chain(assumed).flat_map(rows_of).collect();
        let head = ["architecture", "program", "clock", "MHz", "estimated ms", "estimated pictures a second"];
        format!(
            "Simulated cycles at the clocks of [bitstreams](#bitstreams), and at assumed ones that no timing analysis of \
             ours has reached. Energy is not known.\n\n{}",
            table(&head, 3, &rows)
        )
    })
}
