//! All that touches C++: the loaded object and the memory of a model.
//!
//! The interface is safe to call: every [`Port`] is checked against the
//! object that it came from before its address is used.

use crate::{
    error::{Error, Result},
    port::Port,
};
use std::{
    ffi::{CStr, c_char, c_int},
    marker::PhantomData,
    path::Path,
    ptr::{self, NonNull},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

#[cfg(target_endian = "big")]
compile_error!("wide ports are copied as little-endian words");

/// The model on the C++ side.
#[repr(C)]
struct RawModel {
    _opaque: [u8; 0],
    _not_sync: PhantomData<*mut u8>,
}

/// `Port` of `shim.cpp`.
#[repr(C)]
struct RawPort {
    name: *const c_char,
    bits: u32,
    bytes: u32,
    is_input: u32,
}

/// An entry point that is given a path.
type OnPath = unsafe extern "C" fn(*mut RawModel, *const c_char) -> bool;

/// Entry points of `shim.cpp`; the last three only in models built with that ability.
struct Functions {
    new: unsafe extern "C" fn(c_int, c_int) -> *mut RawModel,
    free: unsafe extern "C" fn(*mut RawModel),
    addresses: unsafe extern "C" fn(*mut RawModel, *mut *mut u8),
    error: unsafe extern "C" fn(*const RawModel) -> *const c_char,
    time: unsafe extern "C" fn(*const RawModel) -> u64,
    finished: unsafe extern "C" fn(*const RawModel) -> bool,
    eval: unsafe extern "C" fn(*mut RawModel) -> bool,
    advance: unsafe extern "C" fn(*mut RawModel, u64) -> bool,
    clock: unsafe extern "C" fn(*mut RawModel, *mut u8, u64, u64) -> bool,
    open_trace: Option<OnPath>,
    close_trace: Option<unsafe extern "C" fn(*mut RawModel) -> bool>,
    write_coverage: Option<OnPath>,
}

impl Functions {
    /// # Safety
    /// The library must have been built from `shim.cpp` of this version.
    unsafe fn of(library: &libloading::Library) -> std::result::Result<Self, libloading::Error> {
        // SAFETY: by the caller's promise each name has the type of its field.
        unsafe {
            Ok(Self {
                new: *library.get(b"verilated_new\0")?,
                free: *library.get(b"verilated_free\0")?,
                addresses: *library.get(b"verilated_addresses\0")?,
                error: *library.get(b"verilated_error\0")?,
                time: *library.get(b"verilated_time\0")?,
                finished: *library.get(b"verilated_finished\0")?,
                eval: *library.get(b"verilated_eval\0")?,
                advance: *library.get(b"verilated_advance\0")?,
                clock: *library.get(b"verilated_clock\0")?,
                open_trace: library.get(b"verilated_open_trace\0").ok().map(|symbol| *symbol),
                close_trace: library.get(b"verilated_close_trace\0").ok().map(|symbol| *symbol),
                write_coverage: library.get(b"verilated_write_coverage\0").ok().map(|symbol| *symbol),
            })
        }
    }
}

/// A loaded shared object.
pub(crate) struct Object {
    /// Name and handle of each port.
    pub ports: Vec<(String, Port)>,
    id: u32,
    functions: Functions,
    _library: libloading::Library,
}

impl Object {
    /// # Safety
    /// `path` must be a shared object made by this version's build helper.
    pub unsafe fn open(path: &Path) -> Result<Self> {
        static NEXT_ID: AtomicU32 = AtomicU32::new(0);
        let failed = |source| Error::Load { path: path.into(), source };
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        // SAFETY: by the caller's promise the file and its symbols are ours;
        // `_library` keeps the code loaded as long as the functions are held.
        unsafe {
            let library = libloading::Library::new(path).map_err(failed)?;
            let functions = Functions::of(&library).map_err(failed)?;
            let table: unsafe extern "C" fn() -> *const RawPort =
                *library.get(b"verilated_ports\0").map_err(failed)?;
            Ok(Self { ports: read_table(table(), id), id, functions, _library: library })
        }
    }
}

/// # Safety
/// `entry` must start a table that ends with a null name.
unsafe fn read_table(mut entry: *const RawPort, owner: u32) -> Vec<(String, Port)> {
    let mut ports = Vec::new();
    // SAFETY: the pointer stays in the table until the null name is met.
    while let Some(raw) = unsafe { entry.as_ref() }.filter(|raw| !raw.name.is_null()) {
        // SAFETY: names are string literals.
        let name = unsafe { CStr::from_ptr(raw.name) }.to_string_lossy().into_owned();
        let index = ports.len() as u32;
        let input = raw.is_input != 0;
        ports.push((name, Port { owner, index, width: raw.bits, bytes: raw.bytes, input }));
        // SAFETY: a null name follows at the latest.
        entry = unsafe { entry.add(1) };
    }
    ports
}

/// One model with its own simulation context.
pub(crate) struct Instance {
    model: NonNull<RawModel>,
    addresses: Box<[*mut u8]>,
    object: Arc<Object>,
}

// SAFETY: a model has its own context, each call makes that context current on
// the calling thread, and what models of one object share is locked in C++.
unsafe impl Send for Instance {}

impl Instance {
    /// Creates a model; `initial` and `seed` as for Verilator's `randReset` and `randSeed`.
    pub fn new(object: Arc<Object>, initial: c_int, seed: c_int) -> Result<Self> {
        // SAFETY: `verilated_new` has no conditions; it gives a model or ends the process for lack of memory.
        let model = unsafe { NonNull::new_unchecked((object.functions.new)(initial, seed)) };
        let mut instance = Self { model, addresses: Box::default(), object };
        instance.check(instance.error().is_empty())?;
        let mut addresses = vec![ptr::null_mut(); instance.object.ports.len()];
        // SAFETY: the array has one place for each port of the table.
        unsafe { (instance.object.functions.addresses)(model.as_ptr(), addresses.as_mut_ptr()) };
        instance.addresses = addresses.into();
        Ok(instance)
    }

    /// The object that the model came from.
    pub fn object(&self) -> &Arc<Object> {
        &self.object
    }

    /// Address of `port.bytes` bytes of this model.
    #[inline]
    fn address(&self, port: Port) -> Result<*mut u8> {
        if port.owner != self.object.id {
            return Err(Error::ForeignPort);
        }
        self.addresses.get(port.index as usize).copied().ok_or(Error::ForeignPort)
    }

    /// The lowest 64 bits of a port.
    #[inline]
    pub fn read(&self, port: Port) -> Result<u64> {
        let address = self.address(port)?;
        // SAFETY: `address` checked the port; Verilator aligns ports of up to
        // 8 bytes to their size, and wider ones have at least 12 bytes.
        Ok(unsafe {
            match port.bytes {
                1 => address.read().into(),
                2 => address.cast::<u16>().read().into(),
                4 => address.cast::<u32>().read().into(),
                _ => address.cast::<u64>().read_unaligned(),
            }
        })
    }

    /// Sets a port of up to 64 bits; the value must fit.
    #[inline]
    pub fn write(&mut self, port: Port, value: u64) -> Result<()> {
        let address = self.address(port)?;
        // SAFETY: as in `read`; `&mut self` makes this the only access.
        unsafe {
            match port.bytes {
                1 => address.write(value as u8),
                2 => address.cast::<u16>().write(value as u16),
                4 => address.cast::<u32>().write(value as u32),
                _ => address.cast::<u64>().write_unaligned(value),
            }
        }
        Ok(())
    }

    /// Copies a port to words, lowest first; `words` must have `port.words()` of them.
    #[inline]
    pub fn read_words(&self, port: Port, words: &mut [u64]) -> Result<()> {
        let address = self.address(port)?;
        words.fill(0);
        let bytes = size_of_val(words).min(port.bytes as usize);
        // SAFETY: `bytes` is within the port and within `words`, which do not overlap.
        unsafe { ptr::copy_nonoverlapping(address, words.as_mut_ptr().cast(), bytes) };
        Ok(())
    }

    /// Copies words to a port; they must be `port.words()` and fit.
    #[inline]
    pub fn write_words(&mut self, port: Port, words: &[u64]) -> Result<()> {
        let address = self.address(port)?;
        let bytes = size_of_val(words).min(port.bytes as usize);
        // SAFETY: as in `read_words`; `&mut self` makes this the only access.
        unsafe { ptr::copy_nonoverlapping(words.as_ptr().cast(), address, bytes) };
        Ok(())
    }

    /// Settles the model.
    #[inline]
    pub fn eval(&mut self) -> Result<()> {
        // SAFETY: the model is alive and `&mut self` makes this the only call.
        let done = unsafe { (self.object.functions.eval)(self.model.as_ptr()) };
        self.check(done)
    }

    /// Settles the model, traces it, then lets time pass.
    pub fn advance(&mut self, time: u64) -> Result<()> {
        // SAFETY: as in `eval`.
        let done = unsafe { (self.object.functions.advance)(self.model.as_ptr(), time) };
        self.check(done)
    }

    /// Runs full periods of a clock, a one-bit input.
    #[inline]
    pub fn clock(&mut self, clock: Port, half_period: u64, periods: u64) -> Result<()> {
        let address = self.address(clock)?;
        // SAFETY: as in `eval`; the address is a byte of this model.
        let done =
            unsafe { (self.object.functions.clock)(self.model.as_ptr(), address, half_period, periods) };
        self.check(done)
    }

    /// Simulation time.
    pub fn time(&self) -> u64 {
        // SAFETY: the model is alive and no call that changes it runs.
        unsafe { (self.object.functions.time)(self.model.as_ptr()) }
    }

    /// Whether the design called `$finish`.
    pub fn finished(&self) -> bool {
        // SAFETY: as in `time`.
        unsafe { (self.object.functions.finished)(self.model.as_ptr()) }
    }

    /// Whether the model was built with traces.
    pub fn has_traces(&self) -> bool {
        self.object.functions.open_trace.is_some()
    }

    /// Opens a trace file; whether that worked.
    pub fn open_trace(&mut self, path: &CStr) -> bool {
        // SAFETY: as in `eval`; the string lives through the call.
        let open = |open: OnPath| unsafe { open(self.model.as_ptr(), path.as_ptr()) };
        self.object.functions.open_trace.is_some_and(open)
    }

    /// Closes the trace file, if any.
    pub fn close_trace(&mut self) -> Result<()> {
        // SAFETY: as in `eval`.
        let done = self.object.functions.close_trace.map(|close| unsafe { close(self.model.as_ptr()) });
        self.check(done.unwrap_or(true))
    }

    /// Whether the model was built with coverage.
    pub fn has_coverage(&self) -> bool {
        self.object.functions.write_coverage.is_some()
    }

    /// Writes coverage counts, if there are any.
    pub fn write_coverage(&mut self, path: &CStr) -> Result<()> {
        // SAFETY: as in `open_trace`.
        let write = |write: OnPath| unsafe { write(self.model.as_ptr(), path.as_ptr()) };
        self.check(self.object.functions.write_coverage.is_none_or(write))
    }

    /// Turns a failed call into the model's error.
    #[inline]
    fn check(&self, done: bool) -> Result<()> {
        if done { Ok(()) } else { Err(Error::Stopped { time: self.time(), message: self.error() }) }
    }

    fn error(&self) -> String {
        // SAFETY: as in `time`; the string is copied before the model can change.
        unsafe { CStr::from_ptr((self.object.functions.error)(self.model.as_ptr())) }
            .to_string_lossy()
            .into_owned()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: the model is alive, and this is its last use.
        unsafe { (self.object.functions.free)(self.model.as_ptr()) };
    }
}
