//! A board behind a pseudo-terminal, served by a thread, for the real serial line.
#![allow(dead_code, reason = "each test uses some of it")]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use edge_moe_isa::link::Bridge;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::board::Board;

/// A board whose line is at `path`.
pub struct PtyBoard {
    pub path: PathBuf,
    quit: Arc<AtomicBool>,
    thread: Option<JoinHandle<Board>>,
}

impl PtyBoard {
    pub fn new(board: Board, clock_mhz: u16) -> Self {
        let (master, path) = pair();
        let quit = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&quit);
        let thread = std::thread::spawn(move || serve(Bridge::new(board, clock_mhz), master, &told));
        Self { path, quit, thread: Some(thread) }
    }

    /// Cuts the line; the board as it was then.
    pub fn unplug(mut self) -> Board {
        self.quit.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

/// A new pseudo-terminal: its inner end, and the path of its outer one.
pub fn pair() -> (File, PathBuf) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    rustix::io::ioctl_fionbio(&master, true).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap();
    (File::from(master), PathBuf::from(path.into_string().unwrap()))
}

fn serve(mut bridge: Bridge<Board>, mut master: File, quit: &AtomicBool) -> Board {
    let begin = Instant::now();
    let mut answers = Vec::new();
    while !quit.load(Ordering::Relaxed) {
        bridge.target.now = begin.elapsed();
        let mut bytes = [0; 4096];
        // While nobody has opened the line, reading it is an error.
        let read = master.read(&mut bytes).unwrap_or(0);
        bytes[..read].iter().for_each(|&byte| bridge.receive(byte));
        answers.extend(std::iter::from_fn(|| bridge.send()));
        match master.write(&answers) {
            Ok(written) => drop(answers.drain(..written)),
            Err(cause) => {
                assert!(matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::Other), "{cause}")
            }
        }
        if read == 0 {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    bridge.target
}
