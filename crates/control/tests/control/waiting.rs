//! Waiting for what happens beside the answer.

use std::time::Duration;

/// How long a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(300);

/// Asks until it is so.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = std::time::Instant::now();
    loop {
        if let Some(got) = ask().await {
            return got;
        }
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
