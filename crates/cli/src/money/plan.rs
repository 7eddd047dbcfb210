//! `husorden plan`: what is sold.

use crate::api::{Ask, segment, to_value};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_base::{Bytes, Language, Money, Text};
use husorden_wire::api::{Plan, PlanChange, PlanCreate, Quota};
use ureq::http::Method;

/// What can be done with plans.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List plans and add-ons
    #[command(visible_alias = "ls")]
    List,
    /// Make a plan (staff)
    Create(Box<Create>),
    /// Change a plan; a price holds from the next period (staff)
    Change(Change),
}

/// A new plan.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Its short name: a-z, 0-9 and hyphens
    code: String,
    /// What people call it, in Danish
    #[arg(long)]
    name_da: String,
    /// What people call it, in English
    #[arg(long)]
    name_en: String,
    /// What it gives, in Danish
    #[arg(long)]
    about_da: String,
    /// What it gives, in English
    #[arg(long)]
    about_en: String,
    /// Price of one period without VAT, such as "49.00 DKK"
    #[arg(long)]
    price: Money,
    /// VAT that is added, in hundredths of a percent
    #[arg(long, default_value_t = 2500)]
    vat_bp: u32,
    /// How long a period is
    #[arg(long, value_parser = ["month", "year"], default_value = "month")]
    period: String,
    /// What an ending before its time gives back
    #[arg(long, value_parser = ["remainder", "none"], default_value = "remainder")]
    refund: String,
    /// It adds to another plan
    #[arg(long)]
    addon: bool,
    /// Only these kinds may be made on it
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    #[command(flatten)]
    quota: Quotas,
}

/// What an account with it may use.
#[derive(Debug, clap::Args)]
pub(super) struct Quotas {
    /// Solutions at most
    #[arg(long)]
    solutions: Option<u64>,
    /// Disk of all solutions together, such as "20 GiB"
    #[arg(long)]
    disk: Option<Bytes>,
    /// Memory of all solutions together
    #[arg(long)]
    memory: Option<Bytes>,
    /// Processor of all solutions together, in percent of one core
    #[arg(long)]
    cpu_percent: Option<u64>,
}

impl Quotas {
    fn quota(&self) -> Quota {
        Quota {
            solutions: self.solutions,
            disk_bytes: self.disk.map(|size| size.0),
            memory_bytes: self.memory.map(|size| size.0),
            cpu_percent: self.cpu_percent,
        }
    }

    const fn is_given(&self) -> bool {
        self.solutions.is_some() || self.disk.is_some() || self.memory.is_some() || self.cpu_percent.is_some()
    }
}

/// A change of a plan; what is left out stays.
#[derive(Debug, clap::Args)]
pub struct Change {
    /// Its code or id
    plan: String,
    /// Price of one period without VAT
    #[arg(long)]
    price: Option<Money>,
    /// VAT that is added, in hundredths of a percent
    #[arg(long)]
    vat_bp: Option<u32>,
    /// Whether it can be ordered
    #[arg(long)]
    sold: Option<bool>,
    #[command(flatten)]
    quota: Quotas,
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List => output::list(context.format, &context.api.all::<Plan>("/v1/plans")?),
            Self::Create(form) => {
                let form = *form;
                let quota = form.quota.quota();
                let create = PlanCreate {
                    code: form.code,
                    name: Text::new(form.name_da, form.name_en),
                    about: Text::new(form.about_da, form.about_en),
                    addon: form.addon,
                    price: form.price,
                    vat_bp: form.vat_bp,
                    period: form.period,
                    refund: form.refund,
                    quota,
                    kinds: (!form.kinds.is_empty()).then_some(form.kinds),
                };
                let plan: Plan = context.api.post("/v1/plans", &create)?;
                output::one(context.format, &plan.code, &plan)
            }
            Self::Change(form) => {
                let change = PlanChange {
                    price: form.price,
                    vat_bp: form.vat_bp,
                    sold: form.sold,
                    quota: form.quota.is_given().then(|| form.quota.quota()),
                    ..PlanChange::default()
                };
                let plan: Plan = context.api.ask(
                    &Ask::new(Method::PATCH, &format!("/v1/plans/{}", segment(&form.plan))).with(&to_value(&change)?),
                )?;
                output::one(context.format, &plan.code, &plan)
            }
        }
    }
}

impl Row for Plan {
    const COLUMNS: &'static [&'static str] = &["code", "name", "price", "period", "solutions", "disk", "sold"];

    fn cells(&self) -> Vec<String> {
        let language = crate::language();
        let word = |da: &str, en: &str| if language == Language::Da { da.to_owned() } else { en.to_owned() };
        vec![
            self.code.clone(),
            self.name.get(language).to_owned(),
            self.price.in_words(language),
            self.period.clone(),
            self.quota.solutions.map(|count| count.to_string()).unwrap_or_default(),
            self.quota.disk_bytes.map(|size| Bytes(size).to_string()).unwrap_or_default(),
            if self.sold { word("ja", "yes") } else { word("nej", "no") },
        ]
    }

    fn name(&self) -> String {
        self.code.clone()
    }
}
