//! Plans and add-ons: made and changed by staff, seen by everybody who may order.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::store;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::money::{PLANS_MAX, PlanRow};
use husorden_base::{FieldError, Money, Refusal, Text};
use husorden_wire::api;
use serde_json::json;
use uuid::Uuid;

/// Highest price of one period, in minor units.
const PRICE_MINOR_MAX: i64 = 1_000_000_000_000;
/// Highest VAT, in hundredths of a percent.
const VAT_BP_MAX: u32 = 10_000;
const NAME_CHARS_MAX: usize = 80;
const ABOUT_CHARS_MAX: usize = 1_000;
const PERIODS: [&str; 2] = ["month", "year"];
const REFUNDS: [&str; 2] = ["remainder", "none"];

/// The plans that the caller may see.
pub(crate) async fn list(app: &App, caller: &Caller) -> Result<Answer, Fault> {
    let mut tx = caller.read(app).await?;
    let items = store::money::plans(tx.conn()).await?.into_iter().map(shown).collect();
    Ok(Answer::ok(api::Page::<api::Plan> { items, next: None }))
}

/// The plan with this code or id.
pub(crate) async fn named(conn: &mut sqlx::PgConnection, text: &str, pointer: &str) -> Result<PlanRow, Fault> {
    store::money::plan(conn, text).await?.ok_or_else(|| {
        let text = Text::new(format!("Der er ingen plan {text:?}"), format!("There is no plan {text:?}"));
        Refusal::field(pointer, text).into()
    })
}

/// Makes a plan.
pub(crate) async fn create(app: &App, caller: &Caller, form: api::PlanCreate) -> Result<Answer, Fault> {
    let row = PlanRow {
        id: Uuid::now_v7(),
        code: form.code,
        name: form.name,
        about: form.about,
        addon: form.addon,
        price_minor: form.price.minor,
        currency: form.price.currency,
        vat_bp: form.vat_bp,
        period: form.period,
        refund: form.refund,
        quota: form.quota,
        kinds: form.kinds,
        sold: true,
    };
    check(app, &row)?;
    let mut tx = app.doors().staff().await?;
    let there = store::money::plans(tx.conn()).await?.len();
    if there >= usize::try_from(PLANS_MAX).unwrap_or(usize::MAX) {
        return Err(Refusal::new(
            "too-many-plans",
            409,
            Text::new("Der er for mange planer", "There are too many plans"),
            Text::new("Ret en, der findes, i stedet.", "Change one that is there instead."),
        )
        .with_limit(format!("{there} plans"), format!("{PLANS_MAX} plans"))
        .into());
    }
    store::money::plan_insert(tx.conn(), &row).await?;
    let answer = Answer::created(shown(row.clone())).at(format!("/v1/plans/{}", row.code));
    trail("plan.create", &row).finish_staff(app, caller, tx, answer).await
}

/// Changes a plan. Whoever has it pays a new price from the next period.
pub(crate) async fn change(app: &App, caller: &Caller, text: &str, form: api::PlanChange) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let mut row = store::money::plan(tx.conn(), text).await?.ok_or_else(|| Refusal::not_found(text))?;
    if let Some(price) = form.price {
        if price.currency != row.currency {
            let text = Text::new("Planens valuta kan ikke ændres", "The plan's currency cannot be changed");
            return Err(Refusal::field("/price/currency", text).into());
        }
        row.price_minor = price.minor;
    }
    row.name = form.name.unwrap_or(row.name);
    row.about = form.about.unwrap_or(row.about);
    row.vat_bp = form.vat_bp.unwrap_or(row.vat_bp);
    row.refund = form.refund.unwrap_or(row.refund);
    row.quota = form.quota.unwrap_or(row.quota);
    row.kinds = form.kinds.or(row.kinds);
    row.sold = form.sold.unwrap_or(row.sold);
    check(app, &row)?;
    store::money::plan_save(tx.conn(), &row).await?;
    trail("plan.change", &row).finish_staff(app, caller, tx, Answer::ok(shown(row))).await
}

fn trail(act: &'static str, row: &PlanRow) -> Trail {
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act,
        account: None,
        solution: None,
        before: json!({ "plan": row.code, "price": row.price(), "vat_bp": row.vat_bp, "period": row.period,
            "refund": row.refund, "quota": row.quota, "kinds": row.kinds, "sold": row.sold }),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    trail
}

fn check(app: &App, row: &PlanRow) -> Result<(), Refusal> {
    let mut fields = Vec::new();
    let mut wrong = |pointer: &str, da: &str, en: &str| {
        fields.push(FieldError { pointer: pointer.to_owned(), detail: Text::new(da, en) });
    };
    let code = row.code.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let fine = (2..=40).contains(&code.len())
        && code.iter().all(inner)
        && code[0].is_ascii_lowercase()
        && code.last().is_some_and(|last| *last != b'-');
    if !fine || row.code.parse::<Uuid>().is_ok() {
        wrong(
            "/code",
            "En kode har 2 til 40 tegn af a-z, 0-9 og bindestreger, begynder med et bogstav og slutter ikke med en bindestreg",
            "A code has 2 to 40 characters of a-z, 0-9 and hyphens, begins with a letter and does not end with a hyphen",
        );
    }
    for (pointer, text, chars_max) in [
        ("/name/da", &row.name.da, NAME_CHARS_MAX),
        ("/name/en", &row.name.en, NAME_CHARS_MAX),
        ("/about/da", &row.about.da, ABOUT_CHARS_MAX),
        ("/about/en", &row.about.en, ABOUT_CHARS_MAX),
    ] {
        if text.trim().is_empty() || text.chars().count() > chars_max || text.chars().any(char::is_control) {
            wrong(pointer, &format!("1 til {chars_max} synlige tegn"), &format!("1 to {chars_max} visible characters"));
        }
    }
    if !(0..=PRICE_MINOR_MAX).contains(&row.price_minor) {
        let max = Money::new(PRICE_MINOR_MAX, row.currency);
        wrong("/price/minor", &format!("Fra 0 til {max}"), &format!("From 0 to {max}"));
    }
    if row.vat_bp > VAT_BP_MAX {
        wrong("/vat_bp", "Højst 10000, som er 100 %", "At most 10000, which is 100 %");
    }
    if !PERIODS.contains(&row.period.as_str()) {
        wrong("/period", "month eller year", "month or year");
    }
    if !REFUNDS.contains(&row.refund.as_str()) {
        wrong("/refund", "remainder eller none", "remainder or none");
    }
    let known: Vec<&str> = app.kinds().iter().map(|kind| kind.name()).collect();
    for (index, kind) in row.kinds.iter().flatten().enumerate() {
        if !known.contains(&kind.as_str()) {
            let names = known.join(", ");
            wrong(
                &format!("/kinds/{index}"),
                &format!("{kind:?} findes ikke; der er: {names}"),
                &format!("{kind:?} does not exist; there are: {names}"),
            );
        }
    }
    let quota = [row.quota.solutions, row.quota.disk_bytes, row.quota.memory_bytes, row.quota.cpu_percent];
    if quota.iter().flatten().any(|value| i64::try_from(*value).is_err()) {
        wrong("/quota", "Et tal er for stort", "A number is too large");
    }
    if fields.is_empty() { Ok(()) } else { Err(Refusal::fields(fields)) }
}

/// A plan as the API shows it.
pub(crate) fn shown(row: PlanRow) -> api::Plan {
    api::Plan {
        id: row.id.to_string(),
        price: row.price(),
        code: row.code,
        name: row.name,
        about: row.about,
        addon: row.addon,
        vat_bp: row.vat_bp,
        period: row.period,
        refund: row.refund,
        quota: row.quota,
        kinds: row.kinds,
        sold: row.sold,
    }
}
