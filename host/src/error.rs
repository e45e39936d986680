//! The one error type of the host: what was wrong, where, and what would be right.

use std::fmt;
use std::path::Path;

/// Result of every fallible host function.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of thing went wrong; decides the exit code of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request cannot be fulfilled as it was made (exit code 2).
    Usage,
    /// A file or value that was read is not what it should be (exit code 3).
    Input,
    /// A result could not be written (exit code 4).
    Output,
    /// A device refused or failed to run a program (exit code 5).
    Device,
}

/// One clear error: the subject (a file, tensor or option), the problem with
/// it, and where possible a hint at what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    subject: String,
    problem: String,
    hint: Option<String>,
}

impl Error {
    /// Builds an error of the given kind about `subject`.
    pub fn new(kind: ErrorKind, subject: impl fmt::Display, problem: impl fmt::Display) -> Self {
        Self { kind, subject: subject.to_string(), problem: problem.to_string(), hint: None }
    }

    /// An error in something that was read.
    pub fn input(subject: impl fmt::Display, problem: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Input, subject, problem)
    }

    /// An error in what was asked for.
    pub fn usage(subject: impl fmt::Display, problem: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Usage, subject, problem)
    }

    /// A file that could not be read.
    pub fn reading(path: &Path, cause: impl fmt::Display) -> Self {
        Self::input(path.display(), format!("cannot be read: {cause}"))
    }

    /// A file that could not be written.
    pub fn writing(path: &Path, cause: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Output, path.display(), format!("cannot be written: {cause}"))
    }

    /// Adds what would be right.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What would be right, if known.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.problem)
    }
}

impl std::error::Error for Error {}
