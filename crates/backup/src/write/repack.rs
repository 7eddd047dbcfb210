//! What is still used of packs is written into new ones, so that the old can go.

use super::packer::Packer;
use crate::fault::Fault;
use crate::format::IndexBlob;
use crate::id::Id;
use crate::known::Location;
use crate::repository::Repository;
use crate::target::{Folder, Place};
use std::thread;

impl Repository {
    /// Copies these blobs of these packs into new packs with an index of their own. Each is opened and compared with its name first: what is
    /// damaged is not carried on, and then nothing goes.
    pub(crate) fn repack(&self, packs: &[(Id, Vec<IndexBlob>)]) -> Result<(), Fault> {
        let packer = Packer::new(self);
        let copied = thread::scope(|scope| {
            let sender = scope.spawn(|| {
                while let Some((closed, weight)) = packer.queue.pop() {
                    packer.send(closed).inspect_err(|_| packer.queue.abandon())?;
                    packer.queue.done(weight);
                }
                Ok(())
            });
            let copied = packs.iter().try_for_each(|(id, blobs)| self.copy(&packer, *id, blobs));
            let copied = copied.inspect(|()| packer.finish());
            packer.queue.close();
            let sent = sender.join().unwrap_or(Err(Fault::Stopped));
            copied.and(sent)
        });
        copied.and_then(|()| packer.finish_index())
    }

    fn copy(&self, packer: &Packer<'_>, id: Id, blobs: &[IndexBlob]) -> Result<(), Fault> {
        let place = Place::In(Folder::Data, id);
        let pack = self.target.get(place, None)?;
        for blob in blobs {
            let location = Location::in_its_pack(blob);
            let start = blob.offset as usize;
            let sealed = pack.get(start..start + blob.length as usize);
            let sealed = sealed.ok_or_else(|| Fault::damaged(place, "it ends before what it holds"))?;
            self.unseal(&blob.id, &location, sealed)?;
            packer.take_over(blob, sealed)?;
        }
        Ok(())
    }
}
