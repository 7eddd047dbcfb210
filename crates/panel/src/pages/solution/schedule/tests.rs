//! The card of a schedule over a played API: each way it can stand, in both languages, and what its form sends.

use crate::pages::solution::played::{Played, SOLUTION, page, says};
use http::Method;
use serde_json::{Value, json};

const PAGE: &str = "/solutions/shop/snapshots";

fn schedule(every: &str) -> Value {
    json!({
        "every": every, "hour": 3, "day": "sunday", "zone": "Europe/Copenhagen", "keep": 7, "next": "2026-11-30T02:14:09Z",
    })
}

fn snapshot(id: &str, before: Option<&str>) -> Value {
    let mut one =
        json!({ "id": id, "solution": "0190shop", "label": "", "state": "ready", "taken": "2026-11-29T02:14:09Z" });
    if let Some(before) = before {
        one["before"] = json!(before);
    }
    one
}

fn played(schedule: Value, snapshots: &[Value]) -> Played {
    let mut played = Played::new();
    played.on(&format!("{SOLUTION}/snapshot-schedule"), schedule);
    played.on(&format!("{SOLUTION}/snapshots"), page(snapshots));
    played
}

#[tokio::test]
async fn the_card_says_when_the_next_one_is_taken_and_what_is_kept() {
    let off = json!({ "every": "off", "hour": 3, "day": "sunday", "zone": "Europe/Copenhagen", "keep": 7 });
    for (schedule, english, danish) in [
        (off, "None are taken by themselves", "Der tages ingen af sig selv"),
        (schedule("hourly"), "One each hour. The newest 7 are kept.", "Et hver time. De nyeste 7 beholdes."),
        (
            schedule("daily"),
            "One each day in the hour from 03:00 (Europe/Copenhagen)",
            "Et hver dag i timen fra kl. 03.00",
        ),
        (schedule("weekly"), "One each Sunday in the hour from 03:00", "Et hver søndag i timen fra kl. 03.00"),
    ] {
        let (played, on) = (played(schedule.clone(), &[]), schedule["every"] != "off");
        let shown = played.get(PAGE, "en").await;
        says(&shown, &["On a schedule", english, "How often", "How many are kept", "The oldest go by themselves"]);
        assert_eq!(shown.contains("datetime=\"2026-11-30T02:14:09Z\""), on, "{shown}");
        says(&played.get(PAGE, "da").await, &["Efter tidsplan", danish, "Gem tidsplanen"]);
    }
    // Stopped, and where none could be taken: why, and that it is tried again.
    let mut missed = schedule("daily");
    missed["next"] = Value::Null;
    missed["missed"] = json!("2026-11-28T02:14:09Z");
    missed["message"] = json!("The disk is almost used up");
    let shown = played(missed, &[]).get(PAGE, "en").await;
    says(&shown, &["None was taken", "The disk is almost used up", "when the solution runs again"]);
}

#[tokio::test]
async fn those_on_schedule_are_marked_and_are_no_change_to_undo() {
    let listed = [snapshot("s0", Some("log")), snapshot("s1", None), snapshot("s2", Some("schedule"))];
    let shown = played(schedule("daily"), &listed).get(PAGE, "en").await;
    says(&shown, &["On schedule", "Without a name", "/snapshots/s2/restore", "/snapshots/s2/delete"]);
    assert!(!shown.contains("Undo the newest change"), "{shown}");
    let listed = [snapshot("s2", Some("schedule")), snapshot("s3", Some("change"))];
    says(&played(schedule("daily"), &listed).get(PAGE, "en").await, &["Before a change", "Undo the newest change"]);
}

#[tokio::test]
async fn the_form_sends_what_was_chosen_and_what_is_no_number_as_it_was_typed() {
    let played = played(schedule("daily"), &[]);
    let form = "_schedule=yes&%2Fevery=weekly&%2Fhour=4&%2Fday=monday&%2Fzone=UTC&%2Fkeep=";
    let answered = played.post(PAGE, "/solutions/shop/snapshots/schedule", form).await;
    assert!(answered.starts_with(PAGE), "{answered}");
    let (path, body) = played.last(&Method::PUT);
    assert_eq!(path, format!("{SOLUTION}/snapshot-schedule"));
    assert_eq!(body, json!({ "every": "weekly", "hour": 4, "day": "monday", "zone": "UTC", "keep": "" }));
}
