//! Passwords of people: given, chosen, and kept by Argon2id hashing in bounded memory on threads that answer no requests.

use crate::app::App;
use crate::fault::Fault;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use husorden_base::{Refusal, Secret, Text};
use husorden_passwords::{BYTES_MAX, CHARS_MAX, normalised};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Who may wait for a hash at once. At 30 ms a hash on two cores the last one waits three seconds.
const WAITING_MAX: usize = 200;

/// A password that somebody gives as theirs, in the form it is hashed; what cannot be one is refused by its form alone,
/// before anything is computed of it.
pub(crate) fn given(pointer: &str, text: &str) -> Result<Secret, Refusal> {
    let wrong = || {
        Refusal::field(
            pointer,
            Text::new(
                format!("Et kodeord har 1 til {CHARS_MAX} tegn"),
                format!("A password has 1 to {CHARS_MAX} characters"),
            ),
        )
    };
    if text.is_empty() || text.len() > BYTES_MAX {
        return Err(wrong());
    }
    let password = normalised(text);
    if password.reveal().chars().count() > CHARS_MAX { Err(wrong()) } else { Ok(password) }
}

/// A password that somebody chooses, judged by the house's one judge, in the form it is hashed.
pub(crate) async fn check(
    app: &App,
    pointer: &str,
    chosen: &Secret,
    context: &[&str],
    second_factor: bool,
) -> Result<Secret, Fault> {
    let (app, pointer, text) = (app.clone(), pointer.to_owned(), chosen.clone());
    let context: Vec<String> = context.iter().map(|word| (*word).to_owned()).collect();
    // Weighing takes milliseconds and may read the list from disk.
    let judged = tokio::task::spawn_blocking(move || {
        let context: Vec<&str> = context.iter().map(String::as_str).collect();
        app.judge().check_at(&pointer, text.reveal(), &context, second_factor)
    });
    judged.await.map_err(|error| Fault::Broken { doing: "judging a password", source: error.into() })??;
    Ok(normalised(chosen.reveal()))
}

/// What a hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HashCost {
    /// Memory of one hash, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
}

impl Default for HashCost {
    /// The first choice of OWASP's password storage cheat sheet for one lane.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

/// Hashes, as many at once as there are cores.
pub(crate) struct Hasher {
    argon: Argon2<'static>,
    /// What is verified against when there is nobody: it costs the same.
    nobody: String,
    places: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Hasher {
    /// With this cost; none when Argon2 does not take it.
    pub(crate) fn new(cost: HashCost) -> Option<Self> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).ok()?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = argon.hash_password(Secret::generate(24).reveal().as_bytes()).ok()?.to_string();
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Some(Self { argon, nobody, places: Arc::new(Semaphore::new(cores)), waiting: Semaphore::new(WAITING_MAX) })
    }

    /// The hash of a password, with its parameters.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<String, Fault> {
        let (argon, password) = (self.argon.clone(), password.clone());
        let made =
            self.run(move || argon.hash_password(password.reveal().as_bytes()).map(|hash| hash.to_string())).await?;
        made.map_err(|error| Fault::Broken { doing: "hashing a password", source: error.to_string().into() })
    }

    /// Whether this is the password behind the hash. With no hash it is not, and that takes as long.
    pub(crate) async fn verify(&self, password: &Secret, hash: Option<&str>) -> Result<bool, Fault> {
        let (argon, password) = (self.argon.clone(), password.clone());
        let (hash, real) = (hash.unwrap_or(&self.nobody).to_owned(), hash.is_some());
        let same = self.run(move || argon.verify_password(password.reveal().as_bytes(), hash.as_str()).is_ok()).await?;
        Ok(same && real)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
        let _waits = self.waiting.try_acquire().map_err(|_| busy())?;
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(|error| Fault::Broken { doing: "waiting for a core", source: error.into() })?;
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        done.await.map_err(|error| Fault::Broken { doing: "hashing a password", source: error.into() })
    }
}

fn busy() -> Refusal {
    Refusal::new(
        "busy",
        503,
        Text::new("Der er mange, der logger ind lige nu", "Many are logging in right now"),
        Text::new("Prøv igen om et øjeblik; intet er ændret.", "Try again in a moment; nothing was changed."),
    )
    .with_limit("more", format!("{WAITING_MAX} waiting"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_password_is_refused_by_its_form() {
        assert!(given("/password", &"a".repeat(CHARS_MAX)).is_ok());
        for bad in [String::new(), "a".repeat(CHARS_MAX + 1), "a".repeat(1_000_000)] {
            assert_eq!(given("/password", &bad).expect_err("refused").fields[0].pointer, "/password");
        }
        // Å as one character and as two.
        assert_eq!(given("", "\u{c5}se"), given("", "A\u{30a}se"));
    }

    #[tokio::test]
    async fn a_hash_opens_for_its_password_only() {
        let hasher = Hasher::new(HashCost { memory_kib: 64, passes: 1 }).expect("a cost");
        let (right, wrong) = (Secret::new("correct horse battery"), Secret::new("correct horse cattery"));
        let hash = hasher.hash(&right).await.expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert!(hasher.verify(&right, Some(&hash)).await.expect("an answer"));
        assert!(!hasher.verify(&wrong, Some(&hash)).await.expect("an answer"));
        assert!(!hasher.verify(&right, None).await.expect("an answer"));
    }
}
