//! The three doors to the database. Each is a role of its own that owns nothing; what each may do stands in the migrations.
//!
//! A connection of the tenant door is had only as a [`TenantTx`], which is bound to one account for the length of one
//! transaction; with none bound, row-level security shows no rows.

use crate::config::Database;
use crate::store::grant::GrantUsed;
use husorden_base::{AccountId, SolutionId, TargetId};
use serde::{Deserialize, Serialize};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::types::Json;
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Postgres, SqlSafeStr, Transaction};
use std::path::Path;
use std::time::Duration;

/// A role of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Owns tables and functions; used by migrations and by `husorden up` when it makes the first tokens.
    Owner,
    /// The rows of one account.
    Tenant,
    /// Metadata of all accounts.
    Staff,
    /// Named functions only.
    System,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Tenant, Self::Staff, Self::System];
    /// The roles control runs as.
    pub const DOORS: [Self; 3] = [Self::Tenant, Self::Staff, Self::System];

    /// Its name in PostgreSQL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "husorden_owner",
            Self::Tenant => "husorden_tenant",
            Self::Staff => "husorden_staff",
            Self::System => "husorden_system",
        }
    }
}

/// Why the doors could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The database did not let us in.
    #[error("connecting to the database as {role}: {source}")]
    Connect {
        /// As whom.
        role: &'static str,
        /// Why not.
        source: sqlx::Error,
    },
    /// The role could pass by row-level security.
    #[error("{0} is a superuser, may bypass row-level security or owns tables: control does not start on such a role")]
    TooMuch(&'static str),
    /// A migration failed.
    #[error("bringing the database to this release's shape: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// The pools of the three doors. They are private: see [`Doors::tenant`], [`Doors::staff`] and `system`.
#[derive(Debug)]
pub struct Doors {
    tenant: PgPool,
    staff: PgPool,
    system: PgPool,
}

/// What of an account a transaction is narrowed to; an empty list narrows nothing. Row-level security holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Narrow {
    pub(crate) kinds: Vec<String>,
    pub(crate) solutions: Vec<SolutionId>,
    /// Of the installation and not of an account: the backup targets that the token of a target's own side speaks for.
    #[serde(default)]
    pub(crate) targets: Vec<TargetId>,
}

impl Narrow {
    /// Whether a target is one of those; none named is all.
    pub(crate) fn speaks_for(&self, target: TargetId) -> bool {
        self.targets.is_empty() || self.targets.contains(&target)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.kinds.is_empty() && self.solutions.is_empty()
    }
}

/// A transaction bound to one account.
#[derive(Debug)]
pub struct TenantTx {
    tx: Transaction<'static, Postgres>,
    account: AccountId,
    /// The leave under which staff act here; what they do is written down with it.
    pub(crate) grant: Option<GrantUsed>,
}

/// A transaction of the staff door.
#[derive(Debug)]
pub struct StaffTx {
    tx: Transaction<'static, Postgres>,
}

/// A transaction that reads, for whoever asks: the same statements show an account its own rows and staff all of them.
#[derive(Debug)]
pub enum ReadTx {
    /// Bound to one account.
    Tenant(TenantTx),
    /// Sees all accounts.
    Staff(StaffTx),
}

impl Doors {
    /// Opens the doors and makes sure that none of them is wider than it should be. Customers are told the names of staff only
    /// where `staff_named` says so.
    ///
    /// # Errors
    /// When the database cannot be reached, or a role has rights it must not have.
    pub async fn open(database: &Database, staff_named: bool) -> Result<Self, DoorError> {
        // Lists are narrowed by what may be left out: each is planned for what was asked, not for all that could be.
        let planned = ("plan_cache_mode", "force_custom_plan");
        let named = ("app.staff_named", if staff_named { "yes" } else { "no" });
        Ok(Self {
            tenant: pool(database, Role::Tenant, 8, &[planned, named]).await?,
            staff: pool(database, Role::Staff, 6, &[planned]).await?,
            system: pool(database, Role::System, 16, &[]).await?,
        })
    }

    /// Begins a transaction bound to one account.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tenant(&self, account: AccountId) -> Result<TenantTx, sqlx::Error> {
        self.tenant_narrowed(account, &Narrow::default()).await
    }

    /// The same, narrowed to what a token is for.
    pub(crate) async fn tenant_narrowed(&self, account: AccountId, narrow: &Narrow) -> Result<TenantTx, sqlx::Error> {
        let mut tx = self.tenant.begin().await?;
        let scope = if narrow.is_open() { None } else { Some(Json(narrow)) };
        sqlx::query(
            "select set_config('app.account', $1, true), set_config('app.scope', coalesce($2::jsonb::text, ''), true)",
        )
        .bind(account.to_string())
        .bind(scope)
        .execute(&mut *tx)
        .await?;
        Ok(TenantTx { tx, account, grant: None })
    }

    /// Begins a transaction of the staff door.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn staff(&self) -> Result<StaffTx, sqlx::Error> {
        Ok(StaffTx { tx: self.staff.begin().await? })
    }

    /// The system door: named functions, each a transaction of its own.
    pub(crate) const fn system(&self) -> &PgPool {
        &self.system
    }

    /// A connection that is told of changes.
    pub(crate) async fn listener(&self) -> Result<PgListener, sqlx::Error> {
        PgListener::connect_with(&self.system).await
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.tenant.close().await;
        self.staff.close().await;
        self.system.close().await;
    }
}

impl TenantTx {
    /// The account it is bound to.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// The connection, for statements of `store`.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Makes it so.
    ///
    /// # Errors
    /// When the database does not answer; then nothing is known of the outcome.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.tx.commit().await
    }
}

impl StaffTx {
    /// The connection, for statements of `store`.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Makes it so.
    ///
    /// # Errors
    /// When the database does not answer; then nothing is known of the outcome.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.tx.commit().await
    }
}

impl ReadTx {
    /// The connection, for statements of `store`.
    pub fn conn(&mut self) -> &mut PgConnection {
        match self {
            Self::Tenant(tx) => tx.conn(),
            Self::Staff(tx) => tx.conn(),
        }
    }
}

/// Connections of one role, each with these settings of its own.
async fn pool(
    database: &Database,
    role: Role,
    connections_max: u32,
    settings: &[(&str, &str)],
) -> Result<PgPool, DoorError> {
    let connect = |source| DoorError::Connect { role: role.name(), source };
    let pool = PgPoolOptions::new()
        .max_connections(connections_max)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options(&database.socket_dir, role.name(), &database.name).options(settings.iter().copied()))
        .await
        .map_err(connect)?;
    let too_much: bool = sqlx::query_scalar(
        "select rolsuper or rolbypassrls or exists (select from pg_class where relowner = r.oid)
         from pg_roles r where rolname = current_user",
    )
    .fetch_one(&pool)
    .await
    .map_err(connect)?;
    if too_much {
        return Err(DoorError::TooMuch(role.name()));
    }
    Ok(pool)
}

/// How to reach a database as one role.
#[must_use]
pub fn options(socket_dir: &Path, role: &str, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .port(5432)
        .username(role)
        .database(database)
        .application_name("husorden")
        .disable_statement_logging()
}

/// A connection as the owner, for migrations and bootstrap.
///
/// # Errors
/// When the database does not let us in.
pub async fn owner(database: &Database) -> Result<PgConnection, DoorError> {
    options(&database.socket_dir, Role::Owner.name(), &database.name)
        .connect()
        .await
        .map_err(|source| DoorError::Connect { role: Role::Owner.name(), source })
}

/// Brings the database to this release's shape.
///
/// # Errors
/// When the database cannot be reached or a migration fails; a failed migration leaves nothing behind.
pub async fn migrate(database: &Database) -> Result<(), DoorError> {
    let mut connection = owner(database).await?;
    migrator().run(&mut connection).await?;
    connection.close().await.map_err(|source| DoorError::Connect { role: Role::Owner.name(), source })
}

/// Every migration, in order. A migration that was released is never changed.
fn migrator() -> Migrator {
    let one = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![
        one(1, "tables", include_str!("../migrations/0001_tables.sql")),
        one(2, "doors", include_str!("../migrations/0002_doors.sql")),
        one(3, "system", include_str!("../migrations/0003_system.sql")),
        one(4, "node", include_str!("../migrations/0004_node.sql")),
        one(6, "identity", include_str!("../migrations/0006_identity.sql")),
        one(7, "access", include_str!("../migrations/0007_access.sql")),
        one(8, "evidence", include_str!("../migrations/0008_evidence.sql")),
        one(9, "rules", include_str!("../migrations/0009_rules.sql")),
        one(10, "money", include_str!("../migrations/0010_money.sql")),
        one(11, "cases", include_str!("../migrations/0011_cases.sql")),
        one(12, "notify", include_str!("../migrations/0012_notify.sql")),
        one(13, "walls", include_str!("../migrations/0013_walls.sql")),
        one(20, "mails", include_str!("../migrations/0020_mails.sql")),
        one(21, "rescues", include_str!("../migrations/0021_rescues.sql")),
        one(22, "erasures", include_str!("../migrations/0022_erasures.sql")),
        one(23, "mailboxes", include_str!("../migrations/0023_mailboxes.sql")),
        one(25, "names", include_str!("../migrations/0025_names.sql")),
        one(26, "breach", include_str!("../migrations/0026_breach.sql")),
        one(27, "search", include_str!("../migrations/0027_search.sql")),
        one(28, "certificates", include_str!("../migrations/0028_certificates.sql")),
        one(30, "access", include_str!("../migrations/0030_access.sql")),
        one(31, "figures", include_str!("../migrations/0031_figures.sql")),
        one(32, "questions", include_str!("../migrations/0032_questions.sql")),
        one(40, "updates", include_str!("../migrations/0040_updates.sql")),
        one(46, "log", include_str!("../migrations/0046_log.sql")),
        one(50, "backups", include_str!("../migrations/0050_backups.sql")),
        one(51, "backup orders", include_str!("../migrations/0051_backup_orders.sql")),
        one(55, "vault", include_str!("../migrations/0055_vault.sql")),
        one(60, "flow", include_str!("../migrations/0060_flow.sql")),
        one(61, "log_given_up", include_str!("../migrations/0061_log_given_up.sql")),
        one(62, "builds", include_str!("../migrations/0062_builds.sql")),
        one(63, "strays", include_str!("../migrations/0063_strays.sql")),
        one(66, "target side", include_str!("../migrations/0066_target_side.sql")),
        one(69, "log away", include_str!("../migrations/0069_log_away.sql")),
        one(79, "alarms", include_str!("../migrations/0079_alarms.sql")),
        one(80, "sealed evidence", include_str!("../migrations/0080_sealed_evidence.sql")),
        one(81, "missing mail", include_str!("../migrations/0081_missing_mail.sql")),
        one(82, "token targets", include_str!("../migrations/0082_token_targets.sql")),
        one(83, "snapshot schedule", include_str!("../migrations/0083_snapshot_schedule.sql")),
        one(84, "images", include_str!("../migrations/0084_images.sql")),
        one(86, "networks", include_str!("../migrations/0086_networks.sql")),
        one(87, "public", include_str!("../migrations/0087_public.sql")),
        one(88, "mail topics", include_str!("../migrations/0088_mail_topics.sql")),
        one(89, "withdrawn", include_str!("../migrations/0089_withdrawn.sql")),
        one(90, "strays", include_str!("../migrations/0090_strays.sql")),
        one(93, "agreements", include_str!("../migrations/0093_agreements.sql")),
        one(94, "disk images", include_str!("../migrations/0094_disk_images.sql")),
        one(95, "licences", include_str!("../migrations/0095_licences.sql")),
        one(96, "released", include_str!("../migrations/0096_released.sql")),
        one(97, "logs told", include_str!("../migrations/0097_logs_told.sql")),
    ])
}
