//! Unpacking what a customer uploaded. It happens in a sandbox as the solution's uid, into a folder beside the site's files,
//! and is moved into place only when every entry was fine: an archive that is refused has changed nothing.

use husorden_base::{Refusal, Text};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};

/// Entries an archive may have.
const ENTRIES_MAX: u64 = 200_000;
/// Folders an entry may lie within.
const DEPTH_MAX: usize = 64;
/// How many times larger than the archive its contents may be, once they are larger than [`RATIO_FREE_BYTES`].
const RATIO_MAX: u64 = 200;
/// Contents below this size are never called a bomb.
const RATIO_FREE_BYTES: u64 = 64 << 20;

/// What was unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How an archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// zip.
    Zip,
    /// tar.
    Tar,
    /// tar, compressed by gzip.
    TarGz,
}

impl std::str::FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "zip" => Ok(Self::Zip),
            "tar" => Ok(Self::Tar),
            "tar.gz" | "tgz" => Ok(Self::TarGz),
            other => Err(format!("{other:?} is no archive format: zip, tar or tar.gz")),
        }
    }
}

/// Unpacks an archive that comes on a stream.
///
/// `bytes` is the archive's size, `root` the folder that holds the site's files, `into` the folder within it, `scratch` a folder on the same volume for
/// the spooled archive.
///
/// # Errors
/// With what is wrong about the archive, or with the system's error; nothing below `root` was changed then.
pub fn unpack(
    format: Format,
    bytes: u64,
    archive: &mut dyn Read,
    root: &Path,
    into: &str,
    scratch: &Path,
) -> Result<Unpacked, Refusal> {
    let into = inner_path(into.trim_matches('/')).map_err(|why| refuse("archive-folder", &why))?;
    let stage = root.join(format!(".unpack-{}", std::process::id()));
    let spooled = spool(archive, bytes, scratch)?;
    clear(&stage).and_then(|()| fs::create_dir(&stage)).map_err(|error| system(&error))?;
    let result = stage_all(format, spooled, &stage).and_then(|done| {
        let target = root.join(&into);
        collisions(&stage, &target)?;
        fs::create_dir_all(&target).and_then(|()| move_all(&stage, &target)).map_err(|error| system(&error))?;
        Ok(done)
    });
    let cleared = clear(&stage);
    let done = result?;
    cleared.map_err(|error| system(&error))?;
    Ok(done)
}

fn spool(archive: &mut dyn Read, bytes: u64, scratch: &Path) -> Result<File, Refusal> {
    let mut file = nameless(scratch).map_err(|error| system(&error))?;
    // One byte more than told, so that too much is seen as well.
    let copied = io::copy(&mut archive.take(bytes.saturating_add(1)), &mut file).map_err(|error| system(&error))?;
    if copied != bytes {
        // A tar that ends between two entries would pass for a whole one.
        let why = ("Arkivet kom ikke helt frem".to_owned(), "The archive did not arrive whole".to_owned());
        return Err(refuse("archive-cut-short", &why)
            .with_limit(format!("{copied} bytes arrived"), format!("{bytes} bytes were sent")));
    }
    file.seek(SeekFrom::Start(0)).map_err(|error| system(&error))?;
    Ok(file)
}

/// A file without a name: whatever ends this process, the space is given back. Where it has a name for a moment it is the same
/// one each time, for a sandbox counts its processes from 1, so what a death in that moment left goes first.
fn nameless(scratch: &Path) -> io::Result<File> {
    let path = scratch.join(format!(".archive-{}", std::process::id()));
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

fn stage_all(format: Format, archive: File, stage: &Path) -> Result<Unpacked, Refusal> {
    let size = archive.metadata().map_err(|error| system(&error))?.len();
    let mut intake = Intake { stage, size, entries: 0, done: Unpacked::default() };
    match format {
        Format::Zip => zip(archive, &mut intake)?,
        Format::Tar => tar(archive, &mut intake)?,
        Format::TarGz => tar(flate2::read::MultiGzDecoder::new(archive), &mut intake)?,
    }
    if intake.entries == 0 {
        return Err(refuse("archive-empty", &("Arkivet er tomt".to_owned(), "The archive is empty".to_owned())));
    }
    Ok(intake.done)
}

struct Intake<'a> {
    stage: &'a Path,
    size: u64,
    entries: u64,
    done: Unpacked,
}

impl Intake<'_> {
    fn entry(&mut self, name: &str) -> Result<PathBuf, Refusal> {
        self.entries += 1;
        if self.entries > ENTRIES_MAX {
            let why = ("Arkivet har for mange filer".to_owned(), "The archive has too many files".to_owned());
            return Err(refuse("archive-entries", &why)
                .with_limit(format!("more than {ENTRIES_MAX}"), format!("{ENTRIES_MAX} entries")));
        }
        inner_path(name).map_err(|why| refuse("archive-path", &why))
    }

    fn folder(&mut self, name: &str) -> Result<(), Refusal> {
        let path = self.entry(name)?;
        fs::create_dir_all(self.stage.join(path)).map_err(|error| system(&error))
    }

    fn file(&mut self, name: &str, contents: &mut dyn Read) -> Result<(), Refusal> {
        let path = self.stage.join(self.entry(name)?);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| system(&error))?;
        }
        let mut file = File::create(&path).map_err(|error| system(&error))?;
        let mut block = vec![0; 128 << 10];
        loop {
            let read = contents.read(&mut block).map_err(|error| damaged(&error))?;
            if read == 0 {
                break;
            }
            self.done.bytes += read as u64;
            if self.done.bytes > RATIO_FREE_BYTES && self.done.bytes > self.size.saturating_mul(RATIO_MAX) {
                let why = (
                    "Arkivet fylder urimeligt meget, når det pakkes ud".to_owned(),
                    "The archive grows beyond reason when it is unpacked".to_owned(),
                );
                let measured = format!("more than {} bytes out of {}", self.done.bytes, self.size);
                return Err(refuse("archive-bomb", &why).with_limit(measured, format!("{RATIO_MAX} times its size")));
            }
            file.write_all(&block[..read]).map_err(|error| system(&error))?;
        }
        self.done.files += 1;
        Ok(())
    }
}

fn zip(archive: File, intake: &mut Intake<'_>) -> Result<(), Refusal> {
    let mut archive = zip::ZipArchive::new(archive).map_err(|error| damaged(&error))?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| damaged(&error))?;
        let name = entry.name().map_err(|error| damaged(&error))?.into_owned();
        if entry.is_symlink() {
            return Err(link(&name));
        }
        if entry.is_dir() {
            intake.folder(&name)?;
        } else {
            intake.file(&name, &mut entry)?;
        }
    }
    Ok(())
}

fn tar(archive: impl Read, intake: &mut Intake<'_>) -> Result<(), Refusal> {
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries().map_err(|error| damaged(&error))? {
        let mut entry = entry.map_err(|error| damaged(&error))?;
        let name = String::from_utf8(entry.path_bytes().into_owned()).map_err(|error| damaged(&error))?;
        match entry.header().entry_type() {
            tar::EntryType::Directory => intake.folder(&name)?,
            tar::EntryType::Regular | tar::EntryType::Continuous => intake.file(&name, &mut entry)?,
            tar::EntryType::XGlobalHeader => {}
            tar::EntryType::Symlink | tar::EntryType::Link => return Err(link(&name)),
            _ => {
                let why = (
                    format!("{name:?} er hverken fil eller mappe"),
                    format!("{name:?} is neither a file nor a folder"),
                );
                return Err(refuse("archive-type", &why));
            }
        }
    }
    Ok(())
}

/// A path that stays where it is put: relative, without `..`, not too deep, and not one of the platform's own names.
fn inner_path(name: &str) -> Result<PathBuf, (String, String)> {
    let wrong = |da: &str, en: &str| (format!("{name:?} {da}"), format!("{name:?} {en}"));
    if name.contains('\0') || name.contains('\\') {
        return Err(wrong("har tegn, som ikke kan stå i et filnavn", "has characters that no file name may have"));
    }
    let mut path = PathBuf::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) if part.len() <= 255 => path.push(part),
            Component::Normal(_) => {
                return Err(wrong("har et for langt navn", "has too long a name"));
            }
            Component::CurDir => {}
            Component::ParentDir => {
                return Err(wrong("peger ud af mappen med ..", "leads out of the folder by .."));
            }
            Component::RootDir | Component::Prefix(_) => {
                return Err(wrong("er en absolut sti", "is an absolute path"));
            }
        }
    }
    if path.components().count() > DEPTH_MAX {
        return Err(wrong("ligger for dybt", "lies too deep"));
    }
    Ok(path)
}

/// A file of the archive where there is a folder already, or the other way round; found before anything is moved.
fn collisions(stage: &Path, target: &Path) -> Result<(), Refusal> {
    for entry in fs::read_dir(stage).map_err(|error| system(&error))? {
        let entry = entry.map_err(|error| system(&error))?;
        let there = target.join(entry.file_name());
        let Ok(meta) = fs::symlink_metadata(&there) else {
            continue;
        };
        let is_folder = entry.file_type().map_err(|error| system(&error))?.is_dir();
        if is_folder != meta.is_dir() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let why = (
                format!("{name:?} er en mappe det ene sted og en fil det andet"),
                format!("{name:?} is a folder in one place and a file in the other"),
            );
            return Err(refuse("archive-collision", &why));
        }
        if is_folder {
            collisions(&entry.path(), &there)?;
        }
    }
    Ok(())
}

fn move_all(stage: &Path, target: &Path) -> io::Result<()> {
    for entry in fs::read_dir(stage)? {
        let entry = entry?;
        let there = target.join(entry.file_name());
        if entry.file_type()?.is_dir() && there.is_dir() {
            move_all(&entry.path(), &there)?;
        } else {
            fs::rename(entry.path(), there)?;
        }
    }
    Ok(())
}

fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

pub(crate) fn refuse(code: &str, why: &(String, String)) -> Refusal {
    Refusal::new(
        code,
        422,
        Text::new("Arkivet blev ikke pakket ud", "The archive was not unpacked"),
        Text::new(format!("{}. Intet er ændret.", why.0), format!("{}. Nothing was changed.", why.1)),
    )
}

fn link(name: &str) -> Refusal {
    let why =
        (format!("{name:?} er et link; pak filerne selv"), format!("{name:?} is a link; pack the files themselves"));
    refuse("archive-link", &why)
}

fn damaged(error: &dyn std::error::Error) -> Refusal {
    refuse(
        "archive-damaged",
        &(format!("Arkivet kan ikke læses: {error}"), format!("The archive can't be read: {error}")),
    )
}

fn system(error: &io::Error) -> Refusal {
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return Refusal::new(
            "volume-full",
            507,
            Text::new("Der er ikke plads til arkivet", "There is no room for the archive"),
            Text::new(
                "Slet noget, eller gør løsningen større. Intet er ændret.",
                "Delete something, or make the solution larger. Nothing was changed.",
            ),
        );
    }
    refuse("archive-unpack", &(format!("Systemet svarede: {error}"), format!("The system answered: {error}")))
}

/// The part that runs inside: reads the archive from standard input. A refusal is its last words, as JSON.
///
/// # Errors
/// The refusal.
pub fn inside(format: &str, bytes: u64, into: &str) -> Result<Unpacked, Refusal> {
    let format: Format = format.parse().map_err(|why: String| refuse("archive-format", &(why.clone(), why)))?;
    unpack(format, bytes, &mut io::stdin().lock(), Path::new(INSIDE_FILES), into, Path::new(INSIDE_SCRATCH))
}

/// The site's files inside the sandbox.
pub(crate) const INSIDE_FILES: &str = "/srv/files";
/// The scratch folder inside the sandbox.
pub(crate) const INSIDE_SCRATCH: &str = "/srv/scratch";
#[cfg(test)]
mod tests {
    use super::*;

    fn tarball(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, contents) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(contents.len() as u64);
            header.set_mode(0o644);
            if matches!(kind, tar::EntryType::Symlink) {
                header.set_link_name("/etc/passwd").expect("a link name");
            }
            // Written raw: the builder itself would refuse the names that matter here.
            header.as_gnu_mut().expect("gnu").name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, *contents).expect("it is appended");
        }
        builder.into_inner().expect("a tar")
    }

    fn check(format: Format, archive: &[u8], into: &str) -> (Result<Unpacked, String>, Vec<String>) {
        check_sent(archive.len() as u64, format, archive, into)
    }

    fn check_sent(bytes: u64, format: Format, archive: &[u8], into: &str) -> (Result<Unpacked, String>, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let (root, scratch) = (folder.path().join("www"), folder.path().join("tmp"));
        fs::create_dir_all(root.join("kept")).expect("www");
        fs::create_dir_all(&scratch).expect("tmp");
        fs::write(root.join("kept/a.txt"), "before").expect("a file");
        let result =
            unpack(format, bytes, &mut io::Cursor::new(archive), &root, into, &scratch).map_err(|refusal| refusal.code);
        assert_eq!(fs::read_dir(&scratch).expect("tmp").count(), 0, "nothing is left in the scratch folder");
        let mut files = Vec::new();
        list(&root, &root, &mut files);
        files.sort();
        (result, files)
    }

    fn list(root: &Path, folder: &Path, files: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            if entry.file_type().expect("a type").is_dir() {
                list(root, &entry.path(), files);
            } else {
                files.push(entry.path().strip_prefix(root).expect("beneath").display().to_string());
            }
        }
    }

    const FILE: tar::EntryType = tar::EntryType::Regular;

    #[test]
    fn a_good_archive_lands_beside_what_is_there() {
        let archive = tarball(&[("./index.html", FILE, b"hello"), ("kept/b.txt", FILE, b"new")]);
        let (result, files) = check(Format::Tar, &archive, "");
        assert_eq!(result, Ok(Unpacked { files: 2, bytes: 8 }));
        assert_eq!(files, ["index.html", "kept/a.txt", "kept/b.txt"]);
        let (result, files) = check(Format::Tar, &archive, "/sub/");
        assert!(result.is_ok());
        assert_eq!(files, ["kept/a.txt", "sub/index.html", "sub/kept/b.txt"]);
    }

    #[test]
    fn a_bad_archive_changes_nothing() {
        let fine = ("fine.txt", FILE, b"x".as_slice());
        for (bad, code) in [
            (("../escape.txt", FILE, b"x".as_slice()), "archive-path"),
            (("a/../../b", FILE, b"x".as_slice()), "archive-path"),
            (("/etc/passwd", FILE, b"x".as_slice()), "archive-path"),
            (("a\\b", FILE, b"x".as_slice()), "archive-path"),
            (("link", tar::EntryType::Symlink, b"".as_slice()), "archive-link"),
            (("hard", tar::EntryType::Link, b"".as_slice()), "archive-link"),
            (("pipe", tar::EntryType::Fifo, b"".as_slice()), "archive-type"),
            (("kept", FILE, b"x".as_slice()), "archive-collision"),
        ] {
            let (result, files) = check(Format::Tar, &tarball(&[fine, bad]), "");
            assert_eq!(result, Err(code.to_owned()), "{bad:?}");
            assert_eq!(files, ["kept/a.txt"], "{bad:?}");
        }
        assert_eq!(check(Format::Zip, b"no zip at all", "").0, Err("archive-damaged".to_owned()));
        assert_eq!(check(Format::Tar, &[0; 1024], "").0, Err("archive-empty".to_owned()));
        assert_eq!(check(Format::Tar, &tarball(&[fine]), "../up").0, Err("archive-folder".to_owned()));
    }

    #[test]
    fn an_archive_that_is_not_as_long_as_it_was_sent_is_refused() {
        let archive = tarball(&[("one", FILE, b"1"), ("two", FILE, b"2")]);
        // One header and one block: a tar that reads well to its end.
        let cut = &archive[..1024];
        assert_eq!(check(Format::Tar, cut, "").0, Ok(Unpacked { files: 1, bytes: 1 }));
        for (bytes, came) in [(archive.len(), cut), (archive.len(), &[][..]), (1024, &archive[..])] {
            let (result, files) = check_sent(bytes as u64, Format::Tar, came, "");
            assert_eq!(result, Err("archive-cut-short".to_owned()), "{} of {bytes}", came.len());
            assert_eq!(files, ["kept/a.txt"]);
        }
    }

    #[test]
    fn what_a_killed_unpacking_left_is_in_nobodys_way() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(format!(".archive-{}", std::process::id())), "half").expect("a file");
        let file = nameless(folder.path()).expect("a file without a name");
        assert_eq!(file.metadata().expect("metadata").len(), 0);
        assert_eq!(fs::read_dir(folder.path()).expect("a list").count(), 0);
    }

    #[test]
    fn zips_are_read_and_their_links_and_bombs_refused() {
        let zipped = |name: &str, contents: &[u8], link: bool| {
            let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
            let options = zip::write::SimpleFileOptions::default();
            if link {
                writer.add_symlink(name, "/etc/passwd", options).expect("a link");
            } else {
                writer.start_file(name, options).expect("a file");
                writer.write_all(contents).expect("its contents");
            }
            writer.finish().expect("a zip").into_inner()
        };
        assert_eq!(check(Format::Zip, &zipped("a/b.txt", b"hi", false), "").0, Ok(Unpacked { files: 1, bytes: 2 }));
        assert_eq!(check(Format::Zip, &zipped("../b.txt", b"hi", false), "").0, Err("archive-path".to_owned()));
        assert_eq!(check(Format::Zip, &zipped("l", b"", true), "").0, Err("archive-link".to_owned()));
        let zeros = vec![0; 80 << 20];
        assert_eq!(check(Format::Zip, &zipped("bomb", &zeros, false), "").0, Err("archive-bomb".to_owned()));
    }
}
