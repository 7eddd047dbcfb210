//! The installation's own certificate authority, for a first look and for names that no public authority certifies.
//!
//! Its root is constrained to names that can belong to nobody (RFC 2606, RFC 6761, RFC 8375) and to the machine's own
//! addresses: whoever trusts it for a look, and whoever steals its key, gains nothing over real names. It lives for years,
//! what it issues for 90 days; its key is root's alone and never leaves its folder.

use husorden_base::Domain;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a certificate holds.
pub const LEAF_DAYS: u64 = 90;
/// How old a certificate may get before another should take its place.
pub const LEAF_RENEW_DAYS: u64 = 60;
/// How long the root holds.
const ROOT_DAYS: u64 = 10 * 365;
/// Most names in one certificate.
const NAMES_MAX: usize = 100;
/// Clocks differ: certificates are valid from so long before they were made.
const SKEW_HOURS: u64 = 24;
/// The last labels of names the root may certify.
const SPACES: [&str; 6] = ["test", "example", "invalid", "localhost", "internal", "home.arpa"];

/// A certificate authority in a folder: `root.pem` for all to read, `root.key` for root alone.
#[derive(Debug)]
pub struct Ca {
    root_path: PathBuf,
    root_pem: String,
    key_pem: husorden_base::Secret,
}

/// Why the authority could not do something.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A file of the authority could not be read or written.
    #[error("{doing} {path}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("making a certificate for {names}")]
    Make {
        /// For which names.
        names: String,
        /// What the maker said.
        source: rcgen::Error,
    },
    /// The name is outside what the root may certify.
    #[error(
        "{0} is outside what the local authority certifies (names under .test, .example, .invalid, .localhost, .internal and home.arpa)"
    )]
    Outside(Domain),
    /// No name, or too many.
    #[error("a certificate holds 1 to {NAMES_MAX} names, not {0}")]
    Count(usize),
}

impl Ca {
    /// Opens the authority in `dir`, and makes one if there is none. Two that do so at once get the same one.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn open_or_make(dir: &Path) -> Result<Self, CaError> {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(dir).map_err(file("making the folder", dir))?;
        let lock_path = dir.join(".lock");
        let lock = File::create(&lock_path).map_err(file("opening the lock", &lock_path))?;
        lock.lock().map_err(file("taking the lock", &lock_path))?;

        let (root_path, key_path) = (dir.join("root.pem"), dir.join("root.key"));
        let held = |path: &Path| match fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file("reading", path)(error)),
        };
        let key_pem = match held(&key_path)? {
            Some(pem) => pem,
            None => {
                let pem = KeyPair::generate().map_err(make("the root"))?.serialize_pem();
                put(&key_path, &pem, 0o600)?;
                pem
            }
        };
        let root_pem = match held(&root_path)? {
            Some(pem) => pem,
            None => {
                let key = KeyPair::from_pem(&key_pem).map_err(make("the root"))?;
                let pem = root_params().self_signed(&key).map_err(make("the root"))?.pem();
                put(&root_path, &pem, 0o644)?;
                pem
            }
        };
        Ok(Self { root_path, root_pem, key_pem: husorden_base::Secret::new(key_pem) })
    }

    /// Where the root's certificate lies; this is what a visitor is asked to trust.
    #[must_use]
    pub fn root_path(&self) -> &Path {
        &self.root_path
    }

    /// The root's certificate in PEM.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// Whether the root may certify a name.
    #[must_use]
    pub fn covers(domain: &Domain) -> bool {
        SPACES
            .into_iter()
            .any(|space| domain.as_str().strip_suffix(space).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    }

    /// A certificate for these names: the chain in PEM, leaf first, and the key in PEM.
    ///
    /// # Errors
    /// When a name lies outside the root's constraints, or when there are none or too many.
    pub fn issue(&self, domains: &[Domain]) -> Result<(String, String), CaError> {
        let (Some(first), true) = (domains.first(), domains.len() <= NAMES_MAX) else {
            return Err(CaError::Count(domains.len()));
        };
        if let Some(outside) = domains.iter().find(|domain| !Self::covers(domain)) {
            return Err(CaError::Outside(outside.clone()));
        }
        let names = first.as_str();
        let root_key = KeyPair::from_pem(self.key_pem.reveal()).map_err(make(names))?;
        let issuer = Issuer::new(root_params(), root_key);

        let mut params =
            CertificateParams::new(domains.iter().map(|domain| domain.as_str().to_owned()).collect::<Vec<_>>())
                .map_err(make(names))?;
        // The subject is left empty: a common name has at most 64 characters, and clients look at the alternative names.
        params.distinguished_name = DistinguishedName::new();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(make(names))?;
        hold_for(&mut params, LEAF_DAYS);
        let leaf = params.signed_by(&key, &issuer).map_err(make(names))?;
        Ok((format!("{}{}", leaf.pem(), self.root_pem), key.serialize_pem()))
    }
}

/// The root's parameters. Issuing needs its name and key only, so they are stated here rather than read from the file.
fn root_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Husorden local authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let addresses = [
        CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8),
        CidrSubnet::from_addr_prefix(std::net::Ipv6Addr::LOCALHOST.into(), 128),
    ];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: SPACES
            .into_iter()
            .map(|space| GeneralSubtree::DnsName(space.to_owned()))
            .chain(addresses.map(GeneralSubtree::IpAddress))
            .collect(),
        excluded_subtrees: Vec::new(),
    });
    hold_for(&mut params, ROOT_DAYS);
    params
}

/// Makes it valid from a little before now until `days` from now.
fn hold_for(params: &mut CertificateParams, days: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(now.saturating_sub(SKEW_HOURS * 3600));
    params.not_after = epoch + Duration::from_secs(now + days * 24 * 3600);
}

/// Writes a file whole or not at all, with its mode from the first byte on.
fn put(path: &Path, text: &str, mode: u32) -> Result<(), CaError> {
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(file("removing", &fresh)(error));
        }
        Ok(()) | Err(_) => {}
    }
    let mut handle =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh).map_err(file("making", &fresh))?;
    handle.write_all(text.as_bytes()).and_then(|()| handle.sync_all()).map_err(file("writing", &fresh))?;
    fs::rename(&fresh, path).map_err(file("putting in place", path))
}

fn file(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> CaError {
    let path = path.to_owned();
    move |source| CaError::File { doing, path: path.clone(), source }
}

fn make(names: &str) -> impl Fn(rcgen::Error) -> CaError {
    let names = names.to_owned();
    move |source| CaError::Make { names: names.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    /// A folder that goes when the test does.
    struct Folder(PathBuf);
    impl Folder {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("husorden-ca-{}", std::process::id()));
            fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }
        fn path(&self) -> &Path {
            &self.0
        }
    }
    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn domain(text: &str) -> Domain {
        text.parse().expect("a domain")
    }

    #[test]
    fn names_outside_are_refused() {
        for (name, covered) in [
            ("blog.demo-sites.test", true),
            ("shop.example", true),
            ("printer.home.arpa", true),
            ("contest.zz", false),
            ("shop.mytest", false),
            ("arpa.zz", false),
        ] {
            assert_eq!(Ca::covers(&domain(name)), covered, "{name}");
        }
    }

    #[test]
    fn a_leaf_verifies_against_the_root_by_another_reader() {
        let dir = Folder::new();
        let ca = Ca::open_or_make(dir.path()).expect("an authority");
        let mode = fs::metadata(dir.path().join("root.key")).expect("the key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let again = Ca::open_or_make(dir.path()).expect("the same authority");
        assert_eq!(again.root_pem, ca.root_pem);
        let (chain, key) = again.issue(&[domain("blog.demo-sites.test"), domain("shop.example")]).expect("a leaf");
        assert!(key.contains("PRIVATE KEY"));
        assert!(matches!(again.issue(&[domain("shop.zz")]), Err(CaError::Outside(_))));
        assert!(matches!(again.issue(&[]), Err(CaError::Count(0))));

        let leaf = dir.path().join("leaf.pem");
        fs::write(&leaf, chain).expect("the leaf is written");
        let verify = |name: &str| {
            let output = Command::new("openssl")
                .args(["verify", "-x509_strict", "-verify_hostname", name, "-CAfile"])
                .args([ca.root_path(), &leaf])
                .output()
                .expect("openssl runs");
            (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        assert_eq!(verify("shop.example"), (true, String::new()));
        assert!(!verify("other.example").0);
    }
}
