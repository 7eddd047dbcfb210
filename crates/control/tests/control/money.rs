//! Plans, subscriptions and the ledger on a real PostgreSQL: quotas, periods, endings, and what the database itself refuses.

use crate::cluster::connect;
use crate::house::House;
use husorden_control::doors::Role;
use serde_json::{Value, json};
use sqlx::PgConnection;

/// A plan that costs so many øre a month and allows everything.
pub fn plan(code: &str, minor: i64) -> Value {
    json!({
        "code": code, "name": { "da": format!("Plan {code}"), "en": format!("Plan {code}") },
        "about": { "da": "Til prøver.", "en": "For tests." },
        "price": { "minor": minor, "currency": "DKK" }, "vat_bp": 2500, "period": "month", "refund": "remainder",
    })
}

fn with(mut plan: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        plan[name] = value.clone();
    }
    plan
}

async fn subscribe(house: &House, code: &str) -> Value {
    house.call("POST", "/v1/subscriptions", json!({ "plan": code })).await.is(201)
}

/// The sums of our account's ledgers.
async fn sums(house: &House) -> Vec<(String, i64)> {
    let page = house.get("/v1/ledger/balance").await;
    let sums = page["items"].as_array().unwrap().iter();
    sums.map(|one| (one["ledger"].as_str().unwrap().to_owned(), one["amount"]["minor"].as_i64().unwrap())).collect()
}

fn sum(list: &[(&str, i64)]) -> Vec<(String, i64)> {
    list.iter().map(|(name, minor)| ((*name).to_owned(), *minor)).collect()
}

/// Moves everything of the subscriptions back in time, as if they had begun earlier.
async fn long_ago(owner: &mut PgConnection, interval: &str) {
    for sql in [
        format!("update subscription set started = started - interval '{interval}'"),
        format!("update period set starts = starts - interval '{interval}', ends = ends - interval '{interval}'"),
        format!("update measure set starts = starts - interval '{interval}', lifted = lifted - interval '{interval}'"),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *owner).await.unwrap();
    }
}

/// Lets the renewal job run and waits until it has.
async fn renewed(owner: &mut PgConnection) {
    let was: String =
        sqlx::query_scalar("update job set due = now() where kind = 'renew-subscriptions' returning due::text")
            .fetch_one(&mut *owner)
            .await
            .unwrap();
    for _ in 0..6_000 {
        let is: Option<String> = sqlx::query_scalar(
            "select due::text from job where kind = 'renew-subscriptions' and due > now() and last_error is null",
        )
        .fetch_optional(&mut *owner)
        .await
        .unwrap();
        if is.is_some_and(|is| is != was) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the renewal did not run");
}

#[tokio::test]
async fn quotas_come_from_the_plan_and_the_refusal_names_one_that_would_do() {
    let house = House::new().await;
    let gib = 1_u64 << 30;
    for form in [
        with(plan("small", 4900), json!({ "quota": { "solutions": 2, "disk_bytes": 2 * gib }, "kinds": ["tiny"] })),
        with(plan("large", 9900), json!({ "quota": { "solutions": 10 } })),
        with(plan("dear", 99_900), json!({ "quota": { "solutions": 100 } })),
        with(plan("extra", 1000), json!({ "addon": true, "quota": { "solutions": 1 } })),
    ] {
        house.staff("POST", "/v1/plans", form).await.is(201);
    }
    house.call("POST", "/v1/subscriptions", json!({ "plan": "extra" })).await.refused(409, "needs-a-plan");
    house.call("POST", "/v1/subscriptions", json!({ "plan": "none" })).await.refused(422, "invalid-fields");
    house
        .call("POST", "/v1/subscriptions", json!({ "plan": "small", "quantity": 2 }))
        .await
        .refused(422, "invalid-fields");
    subscribe(&house, "small").await;
    house.create("one", json!({})).await;
    house.create("two", json!({})).await;
    let third = json!({ "kind": "tiny", "name": "three" });
    let said = house.call("POST", "/v1/solutions", third.clone()).await.refused(409, "plan-limit");
    assert_eq!(
        (&said["refusal"]["measured"], &said["refusal"]["limit"]),
        (&json!("3 solutions"), &json!("2 solutions"))
    );
    let detail = said["refusal"]["detail"]["da"].as_str().unwrap();
    assert!(detail.contains("(large)") && detail.contains("99,00 kr."), "{detail}");
    // An add-on raises what it names and nothing else: each tiny thing takes a gibibyte.
    house.call("POST", "/v1/subscriptions", json!({ "plan": "extra", "quantity": 3 })).await.is(201);
    let said = house.call("POST", "/v1/solutions", third.clone()).await.refused(409, "plan-limit");
    assert_eq!((&said["refusal"]["measured"], &said["refusal"]["limit"]), (&json!("3 GiB"), &json!("2 GiB")));
    // What is there can be changed as long as it does not grow, also above the limit.
    house.staff("PATCH", "/v1/plans/small", json!({ "quota": { "solutions": 1 } })).await.is(200);
    house.call("PATCH", "/v1/solutions/one", json!({ "spec": { "engine": "two" } })).await.is(200);
    // A plan for other kinds, and one for all.
    house.staff("PATCH", "/v1/plans/small", json!({ "kinds": [], "quota": {} })).await.is(200);
    let said = house.call("POST", "/v1/solutions", third.clone()).await.refused(409, "plan-kind");
    assert!(said["refusal"]["detail"]["en"].as_str().unwrap().contains("(large)"));
    // Another account without a subscription has the installation's limits alone.
    house.send(house.request(&house.other, "POST", "/v1/solutions", Some(&third))).await.is(201);
    house.running.stop().await;
}

#[tokio::test]
async fn wrong_plans_are_refused_field_by_field() {
    let house = House::new().await;
    for (more, pointer) in [
        (json!({ "code": "A b" }), "/code"),
        (json!({ "code": "x-" }), "/code"),
        (json!({ "name": { "da": "", "en": "x" } }), "/name/da"),
        (json!({ "price": { "minor": -1, "currency": "DKK" } }), "/price/minor"),
        (json!({ "price": { "minor": 1, "currency": "XXX" } }), "/price/currency"),
        (json!({ "price": { "minor": 1.5, "currency": "DKK" } }), "/price/minor"),
        (json!({ "vat_bp": 10_001 }), "/vat_bp"),
        (json!({ "period": "week" }), "/period"),
        (json!({ "refund": "all" }), "/refund"),
        (json!({ "kinds": ["tea"] }), "/kinds/0"),
        (json!({ "quota": { "tea": 1 } }), "/quota/tea"),
        (json!({ "quota": { "solutions": u64::MAX } }), "/quota"),
    ] {
        let said =
            house.staff("POST", "/v1/plans", with(plan("x1", 1), more.clone())).await.refused(422, "invalid-fields");
        assert_eq!(said["refusal"]["fields"][0]["pointer"], pointer, "{more}");
    }
    house.staff("POST", "/v1/plans", plan("x1", 1)).await.is(201);
    house.staff("POST", "/v1/plans", plan("x1", 1)).await.refused(409, "plan-code-taken");
    house
        .staff("PATCH", "/v1/plans/x1", json!({ "price": { "minor": 1, "currency": "EUR" } }))
        .await
        .refused(422, "invalid-fields");
    house.staff("PATCH", "/v1/plans/x1", json!({ "sold": false })).await.is(200);
    house.call("POST", "/v1/subscriptions", json!({ "plan": "x1" })).await.refused(422, "invalid-fields");
    assert_eq!(house.get("/v1/plans").await["items"], json!([]), "what is not sold is not shown");
    house.running.stop().await;
}

#[tokio::test]
async fn periods_follow_one_another_once_each() {
    let house = House::new().await;
    house.staff("POST", "/v1/plans", plan("small", 10_000)).await.is(201);
    let first = subscribe(&house, "small").await;
    let id = first["id"].as_str().unwrap();
    assert_eq!((&first["period"]["net"]["minor"], &first["period"]["vat"]["minor"]), (&json!(10_000), &json!(2_500)));
    assert_eq!(sums(&house).await, sum(&[("receivable", 12_500), ("unearned", -10_000), ("vat", -2_500)]));
    let pay = json!({ "account": "ours", "amount": { "minor": 12_500, "currency": "DKK" }, "reference": "bank 1" });
    house.staff("POST", "/v1/ledger/payments", pay.clone()).await.is(201);
    house.staff("POST", "/v1/ledger/payments", pay).await.refused(409, "entered-before");
    assert_eq!(sums(&house).await, sum(&[("bank", 12_500), ("receivable", 0), ("unearned", -10_000), ("vat", -2_500)]));

    // Nothing is due; then control was away for more than two periods, and the price has changed.
    let mut owner = connect(&house.config.database, Role::Owner).await;
    renewed(&mut owner).await;
    assert_eq!(house.get(&format!("/v1/subscriptions/{id}")).await["period"]["number"], 1);
    house.staff("PATCH", "/v1/plans/small", json!({ "price": { "minor": 20_000, "currency": "DKK" } })).await.is(200);
    long_ago(&mut owner, "2 months 3 days").await;
    renewed(&mut owner).await;
    let now = house.get(&format!("/v1/subscriptions/{id}")).await;
    assert_eq!((&now["period"]["number"], &now["period"]["net"]["minor"]), (&json!(3), &json!(20_000)));
    let expected =
        sum(&[("bank", 12_500), ("receivable", 50_000), ("revenue", -30_000), ("unearned", -20_000), ("vat", -12_500)]);
    assert_eq!(sums(&house).await, expected);
    // Doing it again, also many at once from where a worker died, changes nothing.
    let same = || async {
        let mut system = connect(&house.config.database, Role::System).await;
        let share = json!({ "used": 20_000, "credited": 0, "forfeited": 0, "refunded": 0 });
        let vat = json!({ "used": 5_000, "credited": 0, "forfeited": 0, "refunded": 0 });
        let done: bool = sqlx::query_scalar("select subscription_renew($1::uuid, 2, $2, $3)")
            .bind(uuid_of(id))
            .bind(sqlx::types::Json(share))
            .bind(sqlx::types::Json(vat))
            .fetch_one(&mut system)
            .await
            .unwrap();
        done
    };
    assert_eq!(futures_util::future::join_all((0..4).map(|_| same())).await, [false; 4]);
    renewed(&mut owner).await;
    assert_eq!(sums(&house).await, expected);

    // One that is not to go on runs out.
    let ending = house.call("POST", &format!("/v1/subscriptions/{id}/end"), json!({})).await.is(200);
    assert_eq!((&ending["renews"], &ending["state"]), (&json!(false), &json!("active")));
    house.call("POST", &format!("/v1/subscriptions/{id}/end"), json!({ "when": "never" })).await.is(200);
    house.call("POST", &format!("/v1/subscriptions/{id}/end"), json!({ "when": "period-end" })).await.is(200);
    long_ago(&mut owner, "1 month").await;
    renewed(&mut owner).await;
    let ended = house.get(&format!("/v1/subscriptions/{id}")).await;
    assert_eq!(
        (&ended["state"], &ended["ending"], &ended["period"]["number"]),
        (&json!("ended"), &json!("lapsed"), &json!(3))
    );
    assert_eq!(sums(&house).await.iter().find(|(name, _)| name == "unearned").unwrap().1, 0, "all was earned");
    house.running.stop().await;
}

fn uuid_of(text: &str) -> sqlx::types::Uuid {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_breach_forfeits_the_rest_and_other_endings_give_it_back() {
    let house = House::new().await;
    house.staff("POST", "/v1/plans", with(plan("small", 365_000), json!({ "period": "year" }))).await.is(201);
    house
        .staff("POST", "/v1/plans", with(plan("strict", 365_000), json!({ "period": "year", "refund": "none" })))
        .await
        .is(201);
    let mut ids = Vec::new();
    for code in ["small", "small", "small", "strict"] {
        ids.push(subscribe(&house, code).await["id"].as_str().unwrap().to_owned());
    }
    let solution = house.create("shop", json!({})).await;
    let scope = json!({ "of": "solution", "id": solution["id"] });
    let breach = house.decide(scope.clone(), json!({})).await;
    let case = breach["case_number"].as_str().unwrap();
    // A year has 365 or 366 days; the 100 that are over, less a moment, are 100 begun days.
    let mut owner = connect(&house.config.database, Role::Owner).await;
    long_ago(&mut owner, "99 days 12 hours").await;
    let days: i64 = sqlx::query_scalar("select extract(day from ends - starts)::bigint from period limit 1")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let used = 365_000 * 100 / days;
    let rest = 365_000 - used;

    let path = |n: usize, what: &str| format!("/v1/subscriptions/{}/{what}", ids[n]);
    // Seen before, by those who decide; changes nothing.
    let seen = house.staff("GET", &path(0, "ending?why=breach"), Value::Null).await.is(200);
    assert_eq!((&seen["forfeited"]["minor"], &seen["refunded"]["minor"]), (&json!(rest), &json!(0)));
    house.call("GET", &path(0, "ending?why=breach"), Value::Null).await.refused(422, "invalid-fields");
    for (form, pointer) in [
        (json!({ "when": "now", "why": "breach" }), "/case"),
        (json!({ "when": "now", "why": "breach", "case": "S-0" }), "/case"),
        (json!({ "when": "now", "why": "provider", "case": case }), "/case"),
        (json!({ "when": "now", "why": "customer" }), "/why"),
        (json!({ "when": "soon" }), "/when"),
    ] {
        let said = house.staff("POST", &path(0, "end"), form.clone()).await.refused(422, "invalid-fields");
        assert_eq!(said["refusal"]["fields"][0]["pointer"], pointer, "{form}");
    }
    house
        .call("POST", &path(0, "end"), json!({ "when": "now", "why": "breach", "case": case }))
        .await
        .refused(422, "invalid-fields");
    let told =
        house.staff("POST", &path(0, "end"), json!({ "when": "now", "why": "breach", "case": case })).await.is(200);
    assert_eq!(
        (&told["used"]["minor"], &told["forfeited"]["minor"], &told["back"]["minor"]),
        (&json!(used), &json!(rest), &json!(0))
    );
    let lost = husorden_base::Money::new(rest + 91_250 - 91_250 * 100 / days, husorden_base::Currency::Dkk);
    let lost = format!("fortabes {} efter", lost.in_words(husorden_base::Language::Da));
    assert!(told["statement"]["da"].as_str().unwrap().contains(&lost), "{lost}: {}", told["statement"]);
    house.staff("POST", &path(0, "end"), json!({ "when": "now" })).await.refused(409, "is-ended");
    let shown = house.get(&format!("/v1/subscriptions/{}", ids[0])).await;
    assert_eq!((&shown["ending"], &shown["case"]), (&json!("breach"), &json!(case)));

    // The account leaves: what the terms give. The provider ends without a breach: all of the rest, whatever the terms.
    let vat_rest = 91_250 - 91_250 * 100 / days;
    let told = house.call("POST", &path(1, "end"), json!({ "when": "now" })).await.is(200);
    assert_eq!((&told["refunded"]["minor"], &told["back"]["minor"]), (&json!(rest), &json!(rest + vat_rest)));
    let told = house.staff("POST", &path(2, "end"), json!({ "when": "now" })).await.is(200);
    assert_eq!((&told["why"], &told["refunded"]["minor"]), (&json!("provider"), &json!(rest)));
    let told = house.call("POST", &path(3, "end"), json!({ "when": "now" })).await.is(200);
    assert_eq!((&told["refunded"]["minor"], &told["used"]["minor"]), (&json!(0), &json!(365_000)));

    let all = sums(&house).await;
    let of = |name: &str| all.iter().find(|(ledger, _)| ledger == name).unwrap().1;
    assert_eq!((of("forfeited"), of("unearned")), (-rest, 0));
    assert_eq!(of("revenue"), -(3 * used + 365_000));
    assert_eq!(all.iter().map(|(_, minor)| minor).sum::<i64>(), 0);
    let events = house.get("/v1/events").await.to_string();
    assert!(events.contains("is forfeited under clause money.breach"), "the account is told the amount");
    house.running.stop().await;
}

#[tokio::test]
async fn time_suspended_for_load_is_credited_and_for_a_breach_is_not() {
    let house = House::new().await;
    house.staff("POST", "/v1/plans", with(plan("small", 1_000_000), json!({ "refund": "none" }))).await.is(201);
    let id = subscribe(&house, "small").await["id"].as_str().unwrap().to_owned();
    let mut owner = connect(&house.config.database, Role::Owner).await;
    let lift = async |measure: &Value| {
        let form = json!({ "reasons": "It was for a short while and is over now." });
        house.staff("POST", &format!("/v1/measures/{}/lift", measure["id"].as_str().unwrap()), form).await.is(200);
    };
    let one = house.create("one", json!({})).await;
    let two = house.create("two", json!({})).await;
    let breach = house.decide(json!({ "of": "solution", "id": one["id"] }), json!({})).await;
    let load =
        house.decide(json!({ "of": "solution", "id": two["id"] }), json!({ "clause": "load.exceptional" })).await;
    long_ago(&mut owner, "2 days").await;
    lift(&breach).await;
    lift(&load).await;
    let seen = house.get(&format!("/v1/subscriptions/{id}/ending")).await;
    let month_s: i64 = sqlx::query_scalar("select extract(epoch from ends - starts)::bigint from period")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let credited = seen["credited"]["minor"].as_i64().unwrap();
    let expected = 1_000_000 * 2 * 86_400 / month_s;
    assert!((expected..expected + 1_000).contains(&credited), "{credited}, about {expected}: two days, once");
    house.running.stop().await;
}

#[tokio::test]
async fn the_database_keeps_the_books() {
    let house = House::new().await;
    house.staff("POST", "/v1/plans", plan("small", 10_000)).await.is(201);
    let id = subscribe(&house, "small").await["id"].as_str().unwrap().to_owned();
    let mut owner = connect(&house.config.database, Role::Owner).await;
    let entry = "insert into ledger_entry (key, kind, account, by) select 'x', 'payment', id, 'me' from account where name = 'ours'";
    let posting = |line: u8, minor: i64, currency: &str| {
        format!(
            "insert into ledger_posting (entry, line, account, ledger, minor, currency)
                 select e.id, {line}, e.account, 'bank', {minor}, '{currency}' from ledger_entry e where key = 'x'"
        )
    };
    for statements in [
        vec![entry.to_owned()],
        vec![entry.to_owned(), posting(1, 5, "DKK")],
        vec![entry.to_owned(), posting(1, 5, "DKK"), posting(2, -4, "DKK")],
        vec![entry.to_owned(), posting(1, 5, "DKK"), posting(2, -5, "EUR")],
        // An entry that is there gets a further line.
        vec![
            "insert into ledger_posting (entry, line, account, ledger, minor, currency)
              select id, 99, account, 'bank', 1, 'DKK' from ledger_entry limit 1"
                .to_owned(),
        ],
    ] {
        let script = format!("begin; {}; commit", statements.join("; "));
        let error =
            sqlx::raw_sql(sqlx::AssertSqlSafe(script.clone())).execute(&mut owner).await.expect_err("not balanced");
        assert_eq!(error.as_database_error().unwrap().constraint(), Some("ledger_balanced"), "{script}");
        sqlx::raw_sql("rollback").execute(&mut owner).await.unwrap();
    }
    for sql in [
        "update ledger_posting set minor = 1",
        "delete from ledger_posting",
        "update ledger_entry set text = 'x'",
        "delete from ledger_entry",
    ] {
        let error = sqlx::raw_sql(sql).execute(&mut owner).await.expect_err("even the owner").to_string();
        assert!(error.contains("never changed"), "{sql}: {error}");
    }
    // Shares that are not what was paid, another's subscription, and a breach in the account's own name.
    let mut tenant = connect(&house.config.database, Role::Tenant).await;
    for (account, net, ending, expected) in [
        (
            house.ours,
            json!({ "used": 1, "credited": 0, "forfeited": 0, "refunded": 10_000 }),
            "customer",
            "not what was paid",
        ),
        (
            house.ours,
            json!({ "used": -1, "credited": 0, "forfeited": 0, "refunded": 10_001 }),
            "customer",
            "not what was paid",
        ),
        (
            house.ours,
            json!({ "used": 0, "credited": 0, "forfeited": 10_000, "refunded": 0 }),
            "breach",
            "as a customer",
        ),
        (
            house.theirs,
            json!({ "used": 10_000, "credited": 0, "forfeited": 0, "refunded": 0 }),
            "customer",
            "another account",
        ),
    ] {
        let vat = json!({ "used": 2_500, "credited": 0, "forfeited": 0, "refunded": 0 });
        sqlx::query("select set_config('app.account', $1, false)")
            .bind(account.to_string())
            .execute(&mut tenant)
            .await
            .unwrap();
        let error = sqlx::query("select subscription_end($1, 1, $2, $3, $4, null, null, 'me')")
            .bind(uuid_of(&id))
            .bind(sqlx::types::Json(net))
            .bind(sqlx::types::Json(vat))
            .bind(ending)
            .execute(&mut tenant)
            .await
            .expect_err("refused")
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
    for sql in [
        "insert into ledger_entry (key, kind, account, by) values ('y', 'payment', gen_random_uuid(), 'me')",
        "update subscription set ended = null",
        "update plan set price_minor = 0",
        "select ledger_payment('y', gen_random_uuid(), 1, 'DKK', '', 'me')",
        "select ledger_write('y', 'payment', gen_random_uuid(), null, null, 'DKK', '', '', '[]')",
        "select period_open(gen_random_uuid(), 1, 'me')",
        "select subscription_renew(gen_random_uuid(), 1, '{}', '{}')",
    ] {
        let error = sqlx::raw_sql(sql).execute(&mut tenant).await.expect_err("refused");
        assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("42501"), "{sql}: {error}");
    }
    house.running.stop().await;
}

#[tokio::test]
async fn accounts_see_and_export_their_own_books() {
    let house = House::new().await;
    house.staff("POST", "/v1/plans", plan("small", 10_000)).await.is(201);
    let id = subscribe(&house, "small").await["id"].as_str().unwrap().to_owned();
    let pay =
        json!({ "account": "ours", "amount": { "minor": 500, "currency": "DKK" }, "reference": "=HYPERLINK(\"x\")" });
    house.staff("POST", "/v1/ledger/payments", pay).await.is(201);
    let text = async |token: &str, path: &str| {
        use tower::ServiceExt;
        let answer = house.router.clone().oneshot(house.request(token, "GET", path, None)).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/csv"));
        String::from_utf8(axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
    };
    let ours = text(&house.account, "/v1/ledger/export").await;
    assert_eq!(ours.lines().count(), 1 + 3 + 2, "{ours}");
    assert!(ours.contains(",unearned,-100.00,DKK,small,"), "{ours}");
    assert!(ours.contains("\"'=HYPERLINK(\"\"x\"\")\""), "{ours}");
    assert_eq!(text(&house.other, "/v1/ledger/export").await.lines().count(), 1);
    assert_eq!(text(&house.staff, "/v1/ledger/export?account=theirs").await.lines().count(), 1);
    assert!(
        text(&house.account, "/v1/subscriptions/export")
            .await
            .contains(&format!("{id},{},small,1,active,true,", house.ours))
    );
    let theirs = house.send(house.request(&house.other, "GET", "/v1/ledger", None)).await.is(200);
    assert_eq!(theirs["items"], json!([]));
    let page = house.get("/v1/ledger?limit=1").await;
    let next = page["next"].as_str().unwrap();
    assert_eq!(house.get(&format!("/v1/ledger?after={next}")).await["items"][0]["kind"], "payment");
    house.running.stop().await;
}
