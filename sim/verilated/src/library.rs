//! A loaded model library, from which models are made.

use crate::{
    error::{Error, Result},
    ffi::Object,
    model::{Initial, Model},
    port::Port,
};
use std::{fmt, path::Path, sync::Arc};

/// A loaded model library. Clones share it, on any thread.
#[derive(Clone)]
pub struct Library {
    object: Arc<Object>,
}

impl Library {
    /// Loads a shared object that [`Build::compile`](crate::Build::compile) made earlier, in a build script.
    ///
    /// # Safety
    /// Loading runs code of the file: it must be such an object, made by this version of this crate.
    pub unsafe fn open(path: impl AsRef<Path>) -> Result<Self> {
        // SAFETY: the caller's promise.
        let object = unsafe { Object::open(path.as_ref())? };
        Ok(Self { object: Arc::new(object) })
    }

    /// Creates a model, its inputs zero and its `initial` blocks run. It has its own time and its own random numbers.
    pub fn model(&self, initial: Initial) -> Result<Model> {
        Model::new(self.object.clone(), initial)
    }

    /// Looks up a port and checks its width in bits.
    pub fn port(&self, name: &str, width: u32) -> Result<Port> {
        port(&self.object, name, width)
    }

    /// Name and handle of each port of the top module.
    pub fn ports(&self) -> impl Iterator<Item = (&str, Port)> {
        self.object.ports.iter().map(|(name, port)| (name.as_str(), *port))
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.ports()).finish()
    }
}

pub(crate) fn port(object: &Object, name: &str, width: u32) -> Result<Port> {
    let Some((_, port)) = object.ports.iter().find(|(known, _)| known == name) else {
        let known = object.ports.iter().map(|(known, _)| known.clone()).collect();
        return Err(Error::UnknownPort { name: name.into(), known });
    };
    if port.width != width {
        return Err(Error::WrongWidth { name: name.into(), asked: width, actual: port.width });
    }
    Ok(*port)
}
