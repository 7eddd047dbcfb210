//! A repository: opened with a key in memory, read blob by blob.

use crate::crypt::MasterKey;
use crate::fault::Fault;
use crate::format::{BlobType, Config, IndexFile, Snapshot, Tree};
use crate::id::Id;
use crate::key::{KEYS_TRIED_MAX, Key, KeyFile};
use crate::known::{Known, Location};
use crate::progress::Progress;
use crate::target::{Folder, Place, Target};
use husorden_base::Secret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Largest blob before compression: restic's own chunks end at 8 MiB, a directory may be larger.
const BLOB_BYTES_MAX: usize = 512 << 20;
/// Largest index, snapshot or configuration before compression.
const UNPACKED_BYTES_MAX: usize = 512 << 20;
/// The first byte of an unpacked file that is compressed.
const COMPRESSED: u8 = 2;
/// Packs of directories that are kept while a backup is walked: they are written in the order they are read.
const TREE_PACKS_KEPT: usize = 4;
/// Names that are tried when something broken lies under the first.
const NAMES_TRIED: usize = 3;
const LEVEL: i32 = 1;

/// An open repository.
pub struct Repository {
    pub(crate) target: Box<dyn Target>,
    pub(crate) master: MasterKey,
    config: Config,
    known: Mutex<Known>,
    trees: Mutex<Vec<(u32, Arc<Vec<u8>>)>>,
    progress: Arc<Progress>,
}

impl Repository {
    /// Makes a repository on the target, with one key that opens it.
    ///
    /// # Errors
    /// [`Fault::Taken`] when there is one; else what hindered it.
    pub fn create(target: Box<dyn Target>, key: &Key, now: jiff::Timestamp) -> Result<Self, Fault> {
        target.prepare()?;
        if target.size(Place::Config)?.is_some() {
            return Err(Fault::Taken);
        }
        let master = MasterKey::generate();
        let file = serde_json::to_vec(&KeyFile::new(&master, &key.password(), now)).expect("a key file is JSON");
        target.put(Place::In(Folder::Keys, Id::of(&file)), &file)?;
        let config = Config::generate();
        // The configuration goes last: without it nothing is a repository, and the name is given once.
        let sealed = master.seal(&serde_json::to_vec(&config).expect("a configuration is JSON"));
        target.put(Place::Config, &sealed)?;
        if target.get(Place::Config, None)? != sealed {
            return Err(Fault::Taken);
        }
        Ok(Self::with(target, master, config))
    }

    /// Opens the repository with its solution's key.
    ///
    /// # Errors
    /// [`Fault::WrongKey`], [`Fault::Missing`] when there is none, or what is damaged.
    pub fn open(target: Box<dyn Target>, key: &Key) -> Result<Self, Fault> {
        Self::open_with_password(target, &key.password())
    }

    /// Opens any repository in restic's format by its password.
    ///
    /// # Errors
    /// As [`Repository::open`].
    pub fn open_with_password(target: Box<dyn Target>, password: &Secret) -> Result<Self, Fault> {
        let repository = Self::open_to_append(target, password)?;
        repository.read_indexes()?;
        Ok(repository)
    }

    /// Opens it for [`Repository::append`] alone: what lies in it is not known, and can't be read.
    ///
    /// # Errors
    /// As [`Repository::open`].
    pub fn open_to_append(target: Box<dyn Target>, password: &Secret) -> Result<Self, Fault> {
        let sealed = target.get(Place::Config, None)?;
        let master = find_master(target.as_ref(), password)?;
        let json = master.open("config", &sealed)?;
        let config: Config = serde_json::from_slice(&json).map_err(|error| Fault::damaged("config", error))?;
        if config.version != 2 && config.version != 1 {
            return Err(Fault::damaged(
                "config",
                format!("version {} of the format is not known here", config.version),
            ));
        }
        Ok(Self::with(target, master, config))
    }

    fn with(target: Box<dyn Target>, master: MasterKey, config: Config) -> Self {
        Self { target, master, config, known: Mutex::default(), trees: Mutex::default(), progress: Arc::default() }
    }

    /// The repository's own id, which no other has.
    #[must_use]
    pub fn id(&self) -> Id {
        self.config.id
    }

    /// How far what is being written or restored is.
    #[must_use]
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Lets one more key open it, such as one that the customer holds.
    ///
    /// # Errors
    /// When the target hinders it.
    pub fn add_key(&self, key: &Key, now: jiff::Timestamp) -> Result<(), Fault> {
        let file = serde_json::to_vec(&KeyFile::new(&self.master, &key.password(), now)).expect("a key file is JSON");
        self.target.put(Place::In(Folder::Keys, Id::of(&file)), &file)
    }

    fn read_indexes(&self) -> Result<(), Fault> {
        for listed in self.target.list(Folder::Index)? {
            match self.load::<IndexFile>(Place::In(Folder::Index, listed.id)) {
                Ok(file) => self.known().add(&file),
                // The target's side has put one index in the place of several while we read. One that broke off names nothing yet that
                // a backup uses; one that was damaged later shows in a check, and in what can't be found.
                Err(Fault::Missing(_) | Fault::Damaged { .. }) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads and opens an index, a snapshot or the like.
    pub(crate) fn load<T: DeserializeOwned>(&self, place: Place) -> Result<T, Fault> {
        let sealed = self.target.get(place, None)?;
        if let Place::In(_, id) = place
            && Id::of(&sealed) != id
        {
            return Err(Fault::damaged(place, "its content is not what its name says"));
        }
        let mut json = self.master.open(&place.to_string(), &sealed)?;
        if json.first() == Some(&COMPRESSED) {
            json = decompress(&json[1..], UNPACKED_BYTES_MAX).map_err(|why| Fault::damaged(place, why))?;
        }
        serde_json::from_slice(&json).map_err(|error| Fault::damaged(place, error))
    }

    /// Seals and puts an index or a snapshot.
    pub(crate) fn save<T: Serialize>(&self, folder: Folder, what: &T) -> Result<(Id, u64), Fault> {
        let json = serde_json::to_vec(what).expect("what is kept is JSON");
        let mut plain = vec![COMPRESSED];
        plain.extend_from_slice(&zstd::bulk::compress(&json, LEVEL).map_err(Fault::files("compressing"))?);
        let plain = if self.config.version == 1 { json } else { plain };
        let mut last = None;
        for _ in 0..NAMES_TRIED {
            // Sealed anew it has another name, which what broke off does not have.
            let sealed = self.master.seal(&plain);
            let id = Id::of(&sealed);
            match self.target.put(Place::In(folder, id), &sealed) {
                Ok(()) => return Ok((id, sealed.len() as u64)),
                Err(spoiled @ Fault::Spoiled { .. }) => last = Some(spoiled),
                Err(fault) => return Err(fault),
            }
        }
        Err(last.expect("at least one was tried"))
    }

    /// What a blob holds; it is what its name says, or a fault.
    pub(crate) fn blob(&self, kind: BlobType, id: &Id) -> Result<Vec<u8>, Fault> {
        let location = self.locate(kind, id)?;
        let pack = self.known().pack(location.pack);
        let part = u64::from(location.offset)..u64::from(location.offset) + u64::from(location.length);
        let sealed = self.target.get(Place::In(Folder::Data, pack), Some(part))?;
        self.unseal(id, &location, &sealed)
    }

    pub(crate) fn locate(&self, kind: BlobType, id: &Id) -> Result<Location, Fault> {
        self.known().find(kind, id).ok_or_else(|| Fault::damaged(format!("blob {}", id.short()), "no index names it"))
    }

    pub(crate) fn unseal(&self, id: &Id, location: &Location, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
        let place = || format!("blob {}", id.short());
        if sealed.len() != location.length as usize {
            return Err(Fault::damaged(place(), "its pack ends before it does"));
        }
        let plain = self.master.open(&place(), sealed)?;
        let plain = match location.uncompressed {
            0 => plain,
            bytes if bytes as usize > BLOB_BYTES_MAX => return Err(Fault::damaged(place(), "it says it is too large")),
            bytes => decompress(&plain, bytes as usize).map_err(|why| Fault::damaged(place(), why))?,
        };
        if Id::of(&plain) != *id {
            return Err(Fault::damaged(place(), "its content is not what its name says"));
        }
        Ok(plain)
    }

    /// A directory.
    pub(crate) fn tree(&self, id: &Id) -> Result<Tree, Fault> {
        let location = self.locate(BlobType::Tree, id)?;
        let pack = self.tree_pack(location.pack)?;
        let start = location.offset as usize;
        let sealed = pack.get(start..start + location.length as usize);
        let sealed =
            sealed.ok_or_else(|| Fault::damaged(format!("blob {}", id.short()), "its pack ends before it does"))?;
        Tree::parse(id, &self.unseal(id, &location, sealed)?)
    }

    fn tree_pack(&self, number: u32) -> Result<Arc<Vec<u8>>, Fault> {
        let lock = || self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut kept = lock();
            if let Some(at) = kept.iter().position(|(kept, _)| *kept == number) {
                let found = kept.remove(at);
                kept.push(found.clone());
                return Ok(found.1);
            }
        }
        let id = self.known().pack(number);
        let pack = Arc::new(self.target.get(Place::In(Folder::Data, id), None)?);
        let mut kept = lock();
        if kept.len() >= TREE_PACKS_KEPT {
            kept.remove(0);
        }
        kept.push((number, Arc::clone(&pack)));
        Ok(pack)
    }

    /// All backups, oldest first by what they say of themselves. What lies there and can't be opened is left out: it is no backup, and a
    /// check finds it.
    ///
    /// # Errors
    /// When the target does not answer.
    pub fn snapshots(&self) -> Result<Vec<(Id, Snapshot)>, Fault> {
        let mut snapshots = Vec::new();
        for listed in self.target.list(Folder::Snapshots)? {
            match self.snapshot(&listed.id) {
                Ok(snapshot) => snapshots.push((listed.id, snapshot)),
                Err(Fault::Damaged { .. } | Fault::Missing(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        snapshots.sort_by_key(|(id, snapshot)| (snapshot.time.seconds, snapshot.time.nanoseconds, *id));
        Ok(snapshots)
    }

    /// One backup.
    ///
    /// # Errors
    /// [`Fault::Missing`], or what is damaged.
    pub fn snapshot(&self, id: &Id) -> Result<Snapshot, Fault> {
        self.load(Place::In(Folder::Snapshots, *id))
    }
}

/// The master key from the first key file that the password opens; ours are tried first.
fn find_master(target: &dyn Target, password: &Secret) -> Result<MasterKey, Fault> {
    let mut files = Vec::new();
    let mut unread = None;
    for listed in target.list(Folder::Keys)?.into_iter().filter(|listed| listed.bytes < 1 << 16) {
        let place = Place::In(Folder::Keys, listed.id);
        let bytes = target.get(place, None)?;
        match serde_json::from_slice::<KeyFile>(&bytes) {
            Ok(file) => files.push(file),
            Err(error) => unread = Some(Fault::damaged(place, error)),
        }
    }
    files.sort_by_key(KeyFile::cost);
    let master = files.iter().take(KEYS_TRIED_MAX).find_map(|file| file.open(password));
    master.ok_or_else(|| unread.unwrap_or(Fault::WrongKey))
}

/// Decompresses into at most so many bytes: what came from a target may say anything of itself.
fn decompress(bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, String> {
    let said = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten();
    let room = said.and_then(|said| usize::try_from(said).ok()).unwrap_or(bytes_max).min(bytes_max);
    zstd::bulk::decompress(bytes, room).map_err(|error| error.to_string())
}
