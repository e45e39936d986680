//! The build helper: Verilog in, loadable model out.

use crate::{
    cache::{self, Inputs, Key},
    compile::Compiler,
    error::{Result, file_error},
    generated::{self, Classes},
    library::Library,
    tool,
};
use std::{
    env,
    fmt::Display,
    fs,
    path::{self, Path, PathBuf},
    process::Command,
    thread,
};

const WARNINGS: &str = "warnings.txt";

/// Format of the trace files that a model can write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trace {
    /// No traces: compiles fastest.
    #[default]
    Off,
    /// Value change dump: plain text, large, read by everything.
    Vcd,
    /// GTKWave's compressed format: smaller files, slower to write.
    Fst,
}

impl Trace {
    fn argument(self) -> Option<&'static str> {
        match self {
            Trace::Off => None,
            Trace::Vcd => Some("--trace"),
            Trace::Fst => Some("--trace-fst"),
        }
    }
}

/// Optimisation level of the C++ compiler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Optimisation {
    /// `-O0`: compiles fastest, simulates several times slower.
    O0,
    /// `-O1`: the best sum of compiling and simulating for unit tests.
    #[default]
    O1,
    /// `-O2`: for long runs.
    O2,
    /// `-O3`
    O3,
}

impl Optimisation {
    fn argument(self) -> &'static str {
        match self {
            Optimisation::O0 => "-O0",
            Optimisation::O1 => "-O1",
            Optimisation::O2 => "-O2",
            Optimisation::O3 => "-O3",
        }
    }
}

/// A Verilog source, from a file or from memory.
#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    Text { name: String, text: String },
}

/// What to verilate and how.
///
/// ```no_run
/// use verilated::{Build, Trace};
/// let library = Build::new("fifo").source("fifo.v").parameter("DEPTH", 16).trace(Trace::Fst).load()?;
/// # Ok::<(), verilated::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Build {
    top: String,
    sources: Vec<Source>,
    arguments: Vec<String>,
    trace: Trace,
    optimisation: Optimisation,
    assertions: bool,
    coverage: bool,
    verilator: PathBuf,
    compiler: PathBuf,
    folder: PathBuf,
    jobs: usize,
}

impl Build {
    /// Starts a build of the module `top`.
    pub fn new(top: impl Into<String>) -> Self {
        Self {
            top: top.into(),
            sources: Vec::new(),
            arguments: Vec::new(),
            trace: Trace::default(),
            optimisation: Optimisation::default(),
            assertions: false,
            coverage: false,
            verilator: program("VERILATOR", "verilator"),
            compiler: program("CXX", "c++"),
            folder: cache::default_folder(),
            jobs: thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// Adds a Verilog file.
    pub fn source(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.push(Source::File(path.into()));
        self
    }

    /// Adds Verilog text, such as a generator's output; `name` is its file name in messages.
    pub fn source_text(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.sources.push(Source::Text { name: name.into(), text: text.into() });
        self
    }

    /// Adds a folder to search for included files and for modules (`module.v`).
    pub fn include_folder(self, folder: impl AsRef<Path>) -> Self {
        let folder = absolute(folder.as_ref());
        self.argument(format!("-I{}", folder.display()))
    }

    /// Sets a parameter of the top module. A string needs its Verilog quotes: `"\"text\""`.
    pub fn parameter(self, name: &str, value: impl Display) -> Self {
        self.argument(format!("-G{name}={value}"))
    }

    /// Defines a preprocessor macro.
    pub fn define(self, name: &str, value: impl Display) -> Self {
        self.argument(format!("-D{name}={value}"))
    }

    /// Passes an argument to Verilator as it is, such as `-Wall`.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Makes the model able to write traces; off by default.
    pub fn trace(mut self, trace: Trace) -> Self {
        self.trace = trace;
        self
    }

    /// Sets the optimisation of the C++ model; `O1` by default.
    pub fn optimisation(mut self, optimisation: Optimisation) -> Self {
        self.optimisation = optimisation;
        self
    }

    /// Checks the design's assertions while simulating; off by default.
    pub fn assertions(mut self, check: bool) -> Self {
        self.assertions = check;
        self
    }

    /// Counts line and toggle coverage, several times slower; off by default.
    pub fn coverage(mut self, count: bool) -> Self {
        self.coverage = count;
        self
    }

    /// Names the Verilator program; by default `$VERILATOR`, else `verilator`.
    pub fn verilator(mut self, program: impl Into<PathBuf>) -> Self {
        self.verilator = program.into();
        self
    }

    /// Names the C++ compiler; by default `$CXX`, else `c++`.
    pub fn compiler(mut self, program: impl Into<PathBuf>) -> Self {
        self.compiler = program.into();
        self
    }

    /// Sets the folder of finished builds; by default `verilated` in cargo's target folder,
    /// or in `~/.cache` when the program does not run from there.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Sets how many compilers run at a time; all cores by default.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// Builds the model, or finds it built, and loads it.
    pub fn load(&self) -> Result<Library> {
        self.compile()?.load()
    }

    /// Builds the model, or finds it built, as a shared object.
    pub fn compile(&self) -> Result<Artifact> {
        let tools = self.tools()?;
        let folder = absolute(&self.folder);
        let entry = folder.join(format!("{}-{}", self.top, self.key(&tools)?));
        let _lock = cache::lock(&entry)?;
        let finished = Inputs::unchanged(&entry);
        let cached = finished.is_some();
        let inputs = match finished {
            Some(inputs) => inputs,
            None => self.compile_anew(&folder, &entry, &tools)?,
        };
        let path = self.object(&entry, &inputs);
        let given = |input: &PathBuf| !input.starts_with(&entry);
        let warnings = fs::read_to_string(entry.join(WARNINGS)).unwrap_or_default();
        Ok(Artifact { path, inputs: inputs.files.into_iter().filter(given).collect(), warnings, cached })
    }

    fn compile_anew(&self, folder: &Path, entry: &Path, tools: &[String; 2]) -> Result<Inputs> {
        cache::clear(entry)?;
        let warnings = self.verilate(entry)?;
        fs::write(entry.join(WARNINGS), warnings).map_err(file_error("write", entry.join(WARNINGS)))?;
        generated::write_port_table(entry)?;
        let classes = Classes::read(entry)?;
        let compiler = self.cpp_compiler()?;
        let runtime = compiler.runtime(&folder.join(runtime_name(tools, &classes)), &classes)?;
        let inputs = Inputs::new(generated::files_read(entry)?)?;
        compiler.model(entry, &classes, &runtime, &self.object(entry, &inputs))?;
        inputs.finish(entry)?;
        Ok(inputs)
    }

    fn verilate(&self, entry: &Path) -> Result<String> {
        let mut command = Command::new(&self.verilator);
        command.args(self.verilator_arguments()).arg("--Mdir").arg(entry);
        for source in &self.sources {
            command.arg(source.place(entry)?);
        }
        tool::verilate(&mut command, &self.top)
    }

    fn verilator_arguments(&self) -> Vec<String> {
        let fixed = "--cc -O3 --no-timing --x-assign unique --x-initial unique -Wno-fatal --prefix Vmodel \
             --output-split 5000 --output-split-cfuncs 500 --top-module";
        let mut arguments: Vec<String> = fixed.split_whitespace().map(String::from).collect();
        arguments.push(self.top.clone());
        arguments.push(if self.assertions { "--assert" } else { "--no-assert" }.into());
        arguments.extend(self.trace.argument().map(String::from));
        arguments.extend(self.coverage.then(|| "--coverage".to_owned()));
        arguments.extend(self.arguments.iter().cloned());
        arguments
    }

    fn tools(&self) -> Result<[String; 2]> {
        Ok([tool::verilator_version(&self.verilator)?, tool::compiler_version(&self.compiler)?])
    }

    fn cpp_compiler(&self) -> Result<Compiler> {
        Ok(Compiler {
            tool: self.compiler.clone(),
            include: tool::verilator_include(&self.verilator)?,
            optimisation: self.optimisation.argument(),
            jobs: self.jobs,
        })
    }

    /// Hash of the tools, the options and the sources.
    fn key(&self, tools: &[String; 2]) -> Result<String> {
        let mut key = Key::default();
        key.add(env!("CARGO_PKG_VERSION"));
        key.add(crate::SHIM);
        tools.iter().for_each(|tool| key.add(tool));
        self.verilator_arguments().iter().for_each(|argument| key.add(argument));
        key.add(self.optimisation.argument());
        for source in &self.sources {
            key.add(source.name().to_string_lossy().as_bytes());
            key.add(source.content()?);
        }
        Ok(key.finish())
    }

    /// Path of the shared object. The loader knows an object by its path, so
    /// changed inputs need another one.
    fn object(&self, entry: &Path, inputs: &Inputs) -> PathBuf {
        let name = format!("{}-{}", self.top, inputs.hash());
        entry.join(format!("{}{name}{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX))
    }
}

impl Source {
    fn name(&self) -> PathBuf {
        match self {
            Source::File(path) => absolute(path),
            Source::Text { name, .. } => name.into(),
        }
    }

    fn content(&self) -> Result<Vec<u8>> {
        match self {
            Source::File(path) => fs::read(path).map_err(file_error("read", path)),
            Source::Text { text, .. } => Ok(text.clone().into_bytes()),
        }
    }

    /// The path to give to Verilator; text is written into the build's folder first.
    fn place(&self, entry: &Path) -> Result<PathBuf> {
        let path = entry.join("sources").join(self.name());
        if let Source::Text { text, .. } = self {
            let folder = path.parent().unwrap_or(entry);
            fs::create_dir_all(folder).map_err(file_error("create", folder))?;
            fs::write(&path, text).map_err(file_error("write", &path))?;
        }
        Ok(path)
    }
}

/// A built model on disk.
#[derive(Clone, Debug)]
pub struct Artifact {
    path: PathBuf,
    inputs: Vec<PathBuf>,
    warnings: String,
    cached: bool,
}

impl Artifact {
    /// The shared object.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every file that Verilator read, included files too.
    pub fn inputs(&self) -> &[PathBuf] {
        &self.inputs
    }

    /// What Verilator had to say about the design, empty when nothing.
    pub fn warnings(&self) -> &str {
        &self.warnings
    }

    /// Whether an earlier build was found.
    pub fn is_cached(&self) -> bool {
        self.cached
    }

    /// Loads the shared object.
    pub fn load(&self) -> Result<Library> {
        // SAFETY: `Build::compile` made this file.
        unsafe { Library::open(&self.path) }
    }

    /// For build scripts: tells cargo to come back when an input changes, and
    /// puts the path of the shared object into the environment variable
    /// `variable` of the compiled crate, for `env!`.
    pub fn print_cargo_directives(&self, variable: &str) {
        println!("cargo::rerun-if-env-changed=VERILATOR");
        println!("cargo::rerun-if-env-changed=CXX");
        for input in &self.inputs {
            println!("cargo::rerun-if-changed={}", input.display());
        }
        println!("cargo::rustc-env={variable}={}", self.path.display());
    }
}

/// Runtime objects depend on the tools and on what the model is able to do.
fn runtime_name(tools: &[String; 2], classes: &Classes) -> String {
    let mut key = Key::default();
    key.add(env!("CARGO_PKG_VERSION"));
    tools.iter().chain(&classes.switches).chain(&classes.runtime).for_each(|field| key.add(field));
    format!("runtime-{}", key.finish())
}

fn program(variable: &str, default: &str) -> PathBuf {
    env::var_os(variable).filter(|name| !name.is_empty()).map_or_else(|| default.into(), PathBuf::from)
}

/// `path` from the root, or as it is where there is no current folder.
fn absolute(path: &Path) -> PathBuf {
    path::absolute(path).unwrap_or_else(|_| path.into())
}
