//! The golden of what the migrations make: tables, columns, constraints, indexes, policies, triggers, functions and grants. A
//! change of a migration is read here as what it does; nobody gets a right that does not stand in a reviewed text.

use crate::cluster::{connect, database};
use husorden_control::doors::Role;
use std::path::Path;

#[tokio::test]
async fn the_schema_is_the_golden_one() {
    let database = database().await;
    let mut owner = connect(&database, Role::Owner).await;
    let lines: Vec<String> = sqlx::query_scalar(include_str!("schema.sql")).fetch_all(&mut owner).await.unwrap();
    let text = lines.join("\n") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control/schema.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    let (made, kept): (Vec<_>, Vec<_>) = (text.lines().collect(), golden.lines().collect());
    let only = |these: &[&str], those: &[&str], sign: char| {
        let lines: Vec<_> =
            these.iter().filter(|line| !those.contains(line)).map(|line| format!("{sign} {line}")).collect();
        lines.join("\n")
    };
    // The differences first: the text itself has more lines than anyone reads in a failed test.
    assert!(
        text == golden,
        "the migrations make another schema than schema.txt says; run with BLESS=1 if this is meant\n{}\n{}",
        only(&kept, &made, '-'),
        only(&made, &kept, '+')
    );
    for role in ["husorden_tenant", "husorden_staff", "husorden_system"] {
        assert!(made.iter().any(|line| line.contains(role)), "{role} has rights, and they are seen");
    }
}

#[tokio::test]
async fn a_right_that_is_given_shows_in_the_schema() {
    let database = database().await;
    let mut owner = connect(&database, Role::Owner).await;
    let read = async |owner: &mut sqlx::PgConnection| -> Vec<String> {
        sqlx::query_scalar(include_str!("schema.sql")).fetch_all(owner).await.unwrap()
    };
    let before = read(&mut owner).await;
    for (change, line) in [
        ("grant delete on solution to husorden_tenant", "  grant husorden_tenant: delete, select, update"),
        ("alter table token add column note text", "  column note text"),
        (
            "create policy wide on claim to husorden_staff using (true)",
            "  policy wide permissive for all to husorden_staff using true",
        ),
        ("grant execute on function bury(uuid) to husorden_tenant", "  grant husorden_system, husorden_tenant"),
        ("create index by_note on token (note)", "  CREATE INDEX by_note ON public.token USING btree (note)"),
    ] {
        sqlx::raw_sql(change).execute(&mut owner).await.unwrap();
        let after = read(&mut owner).await;
        let count = |lines: &[String]| lines.iter().filter(|found| found.as_str() == line).count();
        assert_eq!(count(&after), count(&before) + 1, "{change}");
    }
}
