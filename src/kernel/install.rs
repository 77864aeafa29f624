//! Putting an image in force.

use libbpf_rs::{MapCore, MapFlags, MapHandle};

use super::error::Error;
use super::image::Pages;
use super::load::Programs;
use super::sessions::count_change;
use crate::policy::compile::Compiled;

impl Programs {
    /// The generation in force; 0 before the first image.
    ///
    /// # Errors
    /// Nothing is attached, or the image cannot be read.
    pub fn generation(&self) -> Result<u32, Error> {
        let outer = self.attached()?.map("image")?;
        let inner = outer.lookup(&0u32.to_ne_bytes(), MapFlags::ANY);
        let Some(id) = inner.map_err(Error::bpf("read the image"))? else {
            return Ok(0);
        };
        let id = id.as_slice().try_into().map(u32::from_ne_bytes);
        let id = id.map_err(|_| Error::Image("its number is not a word".to_owned()))?;
        let pages = MapHandle::from_map_id(id).map_err(Error::bpf("open the image"))?;
        let page = pages.lookup(&0u32.to_ne_bytes(), MapFlags::ANY);
        let page = page
            .map_err(Error::bpf("read the image"))?
            .unwrap_or_default();
        let word = page.get(8..12).and_then(|bytes| bytes.try_into().ok());
        Ok(word.map(u32::from_ne_bytes).unwrap_or_default())
    }

    /// Writes tables as a new generation and puts it in force in one step. `prepare` is called
    /// with its number before that: slots of sessions for it are written there.
    ///
    /// Returns the generation.
    ///
    /// # Errors
    /// Nothing is attached, the tables do not fit, or the kernel has no memory for them: the
    /// generation before stays in force. Only when the last step fails, which writes one number to
    /// a map that was just found, are the tables in force, and tasks may hold for a while to what
    /// they worked out before: put the tables in force again.
    pub fn install(
        &self,
        compiled: &Compiled,
        prepare: impl FnOnce(u32) -> Result<(), Error>,
    ) -> Result<u32, Error> {
        let outer = self.attached()?.map("image")?;
        let changes = self.attached()?.map("session_changes")?;
        let generation = self.generation()?.wrapping_add(1).max(1);
        let inner = Pages::new(compiled, generation)?.into_map()?;
        prepare(generation)?;
        let id = std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(&inner));
        outer
            .update(&0u32.to_ne_bytes(), &id.to_ne_bytes(), MapFlags::ANY)
            .map_err(Error::bpf("put the image in force"))?;
        // Only from here on may tasks keep what they work out from it.
        count_change(changes)?;
        Ok(generation)
    }
}
