//! Compiles generated C++ and links it to a shared object.

use crate::{
    cache::{self, Inputs},
    error::{Result, file_error},
    generated::Classes,
    tool,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Generated C++ is compiled in units of about this many bytes: reading
/// Verilator's headers costs a second for each unit.
const UNIT_BYTES: u64 = 200_000;

/// Verilator's runtime is built once and used for long runs.
const RUNTIME_OPTIMISATION: &str = "-O2";

/// How C++ is compiled.
pub(crate) struct Compiler {
    pub tool: PathBuf,
    /// Verilator's folder of runtime sources.
    pub include: PathBuf,
    /// `-O0` to `-O3`, for the model.
    pub optimisation: &'static str,
    /// Compiler runs at a time.
    pub jobs: usize,
}

/// One source file to compile.
struct Unit {
    source: PathBuf,
    object: PathBuf,
    optimisation: &'static str,
}

impl Compiler {
    /// Compiles the model in `folder` and links it with the runtime objects to `library`.
    pub fn model(&self, folder: &Path, classes: &Classes, runtime: &[PathBuf], library: &Path) -> Result<()> {
        let shim = folder.join("shim.cpp");
        fs::write(&shim, crate::SHIM).map_err(file_error("write", shim))?;
        let fast = [classes.fast.as_slice(), &["shim".to_owned()]].concat();
        let mut units = self.units(folder, "fast", &fast)?;
        units.extend(self.units(folder, "slow", &classes.slow)?);
        self.compile(&units, classes, folder)?;
        self.link(&units, classes, runtime, library)
    }

    /// Compiles Verilator's runtime into `folder` unless it is there; its object files.
    pub fn runtime(&self, folder: &Path, classes: &Classes) -> Result<Vec<PathBuf>> {
        let _lock = cache::lock(folder)?;
        let units: Vec<Unit> = classes.runtime.iter().map(|name| self.runtime_unit(folder, name)).collect();
        if Inputs::unchanged(folder).is_none() {
            cache::clear(folder)?;
            self.compile(&units, classes, folder)?;
            Inputs::new(units.iter().map(|unit| unit.source.clone()).collect())?.finish(folder)?;
        }
        Ok(units.into_iter().map(|unit| unit.object).collect())
    }

    fn runtime_unit(&self, folder: &Path, name: &str) -> Unit {
        Unit {
            source: self.include.join(name).with_extension("cpp"),
            object: folder.join(name).with_extension("o"),
            optimisation: RUNTIME_OPTIMISATION,
        }
    }

    /// Gathers small generated files into common units.
    fn units(&self, folder: &Path, kind: &str, names: &[String]) -> Result<Vec<Unit>> {
        let mut units = Vec::new();
        for (number, group) in groups_by_size(folder, names)?.iter().enumerate() {
            let source = folder.join(format!("{kind}_{number}.cpp"));
            let text: String = group.iter().map(|name| format!("#include \"{name}.cpp\"\n")).collect();
            fs::write(&source, text).map_err(file_error("write", &source))?;
            let object = source.with_extension("o");
            units.push(Unit { source, object, optimisation: self.optimisation });
        }
        Ok(units)
    }

    /// Compiles the units, `jobs` at a time; the first error ends it.
    fn compile(&self, units: &[Unit], classes: &Classes, folder: &Path) -> Result<()> {
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                let result = tool::compile(&mut self.command(unit, classes, folder));
                if result.is_err() {
                    next.store(units.len(), Ordering::Relaxed);
                    return result;
                }
            }
            Ok(())
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (1..self.jobs.min(units.len())).map(|_| scope.spawn(work)).collect();
            let own = work();
            let others = workers.into_iter().filter_map(|worker| worker.join().ok());
            others.fold(own, |first, other| first.and(other))
        })
    }

    fn command(&self, unit: &Unit, classes: &Classes, folder: &Path) -> Command {
        let mut command = Command::new(&self.tool);
        command.args(["-std=c++17", "-w", "-fPIC", "-fvisibility=hidden", unit.optimisation]);
        command.args(["-DVERILATOR=1", "-DVL_TIME_CONTEXT"]);
        command.args(["-DVL_USER_FINISH", "-DVL_USER_STOP", "-DVL_USER_FATAL"]);
        command.args(classes.switches.iter().map(|switch| format!("-D{switch}")));
        command.arg("-I").arg(folder).arg("-I").arg(&self.include).arg("-I").arg(self.include.join("vltstd"));
        command.arg("-c").arg(&unit.source).arg("-o").arg(&unit.object);
        command
    }

    fn link(&self, units: &[Unit], classes: &Classes, runtime: &[PathBuf], library: &Path) -> Result<()> {
        let mut command = Command::new(&self.tool);
        command.args(["-shared", "-pthread", "-o"]).arg(library);
        command.args(units.iter().map(|unit| &unit.object)).args(runtime);
        if classes.switches.iter().any(|switch| switch == "VM_TRACE_FST=1") {
            command.args(self.fst_libraries());
        }
        tool::compile(&mut command)
    }

    /// Newer versions of Verilator write FST with their own code in place of GTKWave's.
    fn fst_libraries(&self) -> &'static [&'static str] {
        if self.include.join("fstcpp").exists() { &["-llz4", "-lz"] } else { &["-lz"] }
    }
}

/// Splits the list where the files of a group reach `UNIT_BYTES`.
fn groups_by_size<'a>(folder: &Path, names: &'a [String]) -> Result<Vec<Vec<&'a str>>> {
    let mut groups = vec![Vec::new()];
    let mut bytes = 0;
    for name in names {
        let path = folder.join(name).with_extension("cpp");
        if bytes >= UNIT_BYTES {
            groups.push(Vec::new());
            bytes = 0;
        }
        bytes += fs::metadata(&path).map_err(file_error("read", &path))?.len();
        groups.last_mut().into_iter().for_each(|group| group.push(name.as_str()));
    }
    Ok(groups)
}
