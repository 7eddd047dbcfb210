//! What `husorden up` does on the owner's connection before anybody has a token: first accounts, first tokens.

use crate::config::Identity;
use crate::doors::{DoorError, owner};
use crate::identity::password::Hasher;
use crate::identity::seal::Seal;
use crate::identity::{totp, words};
use crate::token;
use husorden_base::{AccountId, Language, PersonId, Secret, TargetId, TokenId};
use husorden_wire::api::{Capabilities, Role, StaffRole};
use sqlx::PgConnection;

pub use crate::doors::migrate;

/// Why bootstrap failed.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The owner's connection could not be had.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// A statement failed.
    #[error("{doing}: {source}")]
    Sql {
        /// What was done.
        doing: &'static str,
        /// Why it failed.
        source: sqlx::Error,
    },
    /// A person cannot be made as told.
    #[error("making a person: {0}")]
    Person(String),
}

/// A person to be there, with a log-in.
#[derive(Debug)]
pub struct NewLogIn<'a> {
    /// The e-mail address.
    pub email: &'a str,
    /// The name.
    pub name: &'a str,
    /// The language.
    pub language: Language,
    /// The password from now on.
    pub password: &'a Secret,
    /// The account it is a member of, and as what.
    pub account: Option<(AccountId, Role)>,
    /// Its roles as staff.
    pub staff: &'a [StaffRole],
    /// Whether a second factor is set up anew.
    pub second_factor: bool,
}

/// A person that is there now.
#[derive(Debug)]
pub struct Made {
    /// Its id.
    pub person: PersonId,
    /// The second factor's secret as an authenticator app takes it, if one was set up.
    pub totp: Option<Secret>,
}

/// A connection as the owner.
#[derive(Debug)]
pub struct Bootstrap(PgConnection);

impl Bootstrap {
    /// Connects as the owner; the database must have been migrated.
    ///
    /// # Errors
    /// When the database does not let us in.
    pub async fn connect(database: &crate::config::Database) -> Result<Self, BootstrapError> {
        Ok(Self(owner(database).await?))
    }

    /// The account with this name, made if it is not there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ensure_account(&mut self, name: &str, language: Language) -> Result<AccountId, BootstrapError> {
        let language = crate::account::language_word(language);
        sqlx::query("insert into account (id, name, language) values ($1, $2, $3) on conflict (name) do nothing")
            .bind(AccountId::new().0)
            .bind(name)
            .bind(language)
            .execute(&mut self.0)
            .await
            .map_err(|source| BootstrapError::Sql { doing: "making an account", source })?;
        sqlx::query_scalar("select id from account where name = $1")
            .bind(name)
            .fetch_one(&mut self.0)
            .await
            .map(AccountId)
            .map_err(|source| BootstrapError::Sql { doing: "reading an account", source })
    }

    /// A fresh token with this label and every capability, for an account or, with none, for staff; an earlier one with the same
    /// label dies.
    /// Only its hash is kept, so a token that was lost can only be replaced.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ensure_token(&mut self, account: Option<AccountId>, label: &str) -> Result<Secret, BootstrapError> {
        let (role, may) = if account.is_some() {
            (token::Role::Account, Capabilities::of_account())
        } else {
            (token::Role::Staff, Capabilities::of_staff())
        };
        let secret = token::generate(role);
        let sql = |doing| move |source| BootstrapError::Sql { doing, source };
        sqlx::query(
            "update token set revoked = now() where label = $1 and account is not distinct from $2 and revoked is null",
        )
        .bind(label)
        .bind(account.map(|account| account.0))
        .execute(&mut self.0)
        .await
        .map_err(sql("ending an earlier token"))?;
        sqlx::query(
            "insert into token (id, digest, role, account, label, capabilities) values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(TokenId::new().0)
        .bind(token::digest(secret.reveal()).to_vec())
        .bind(role.word())
        .bind(account.map(|account| account.0))
        .bind(label)
        .bind(may.iter().map(|one| one.word().to_owned()).collect::<Vec<_>>())
        .execute(&mut self.0)
        .await
        .map_err(sql("making a token"))?;
        Ok(secret)
    }

    /// The person with this address, made if it is not there. The password, and the second factor where one is wanted, are
    /// new in any case: what was lost can only be replaced.
    ///
    /// # Errors
    /// When the address or name is none, control's key cannot be read, or the database does not answer.
    pub async fn ensure_person(&mut self, config: &Identity, new: &NewLogIn<'_>) -> Result<Made, BootstrapError> {
        let sql = |source| BootstrapError::Sql { doing: "making a person", source };
        let told = |error: &dyn std::fmt::Display| BootstrapError::Person(error.to_string());
        let email = words::email(new.email).map_err(|text| told(&text))?;
        let name = words::name(new.name).map_err(|text| told(&text))?;
        let hasher = Hasher::new(config.hash).ok_or_else(|| told(&"the hash's cost is out of range"))?;
        let hash = hasher.hash(new.password).await.map_err(|fault| told(&fault))?;
        let id: uuid::Uuid = sqlx::query_scalar(
            "insert into person (id, email, name, language, password) values ($1, $2, $3, $4, $5)
             on conflict (email) do update set password = excluded.password, disabled = null returning id",
        )
        .bind(PersonId::new().0)
        .bind(email)
        .bind(name)
        .bind(crate::account::language_word(new.language))
        .bind(hash)
        .fetch_one(&mut self.0)
        .await
        .map_err(sql)?;
        let person = PersonId(id);
        if let Some((account, role)) = new.account {
            sqlx::query("insert into member (account, person, role) values ($1, $2, $3) on conflict (account, person) do update set role = excluded.role")
                .bind(account.0)
                .bind(id)
                .bind(role.word())
                .execute(&mut self.0)
                .await
                .map_err(sql)?;
        }
        if !new.staff.is_empty() {
            let roles: Vec<&str> = new.staff.iter().map(|role| role.word()).collect();
            sqlx::query("insert into staff (person, roles) values ($1, $2) on conflict (person) do update set roles = excluded.roles")
                .bind(id)
                .bind(roles)
                .execute(&mut self.0)
                .await
                .map_err(sql)?;
        }
        let mut shown = None;
        if new.second_factor {
            let seal = Seal::read(&config.key).map_err(|error| told(&format!("{}: {error}", config.key.display())))?;
            let secret = zeroize::Zeroizing::new(totp::generate());
            sqlx::query("update person set totp = $2, totp_pending = null, totp_step = 0 where id = $1")
                .bind(id)
                .bind(seal.seal(&format!("totp {person}"), secret.as_slice()))
                .execute(&mut self.0)
                .await
                .map_err(sql)?;
            shown = Some(totp::text(secret.as_slice()));
        }
        Ok(Made { person, totp: shown })
    }

    /// A folder of this machine as the target of this name, where there is no target at all.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ensure_target(&mut self, name: &str, folder: &str) -> Result<(), BootstrapError> {
        sqlx::query(
            "insert into target (id, name, address) select $1, $2, jsonb_build_object('kind', 'folder', 'path', $3::text)
              where not exists (select from target)",
        )
        .bind(TargetId::new().0)
        .bind(name)
        .bind(folder)
        .execute(&mut self.0)
        .await
        .map_err(|source| BootstrapError::Sql { doing: "making a target", source })?;
        Ok(())
    }

    /// Whether this token opens the door still; for who kept one and wonders whether a new one is needed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn token_holds(&mut self, secret: &Secret) -> Result<bool, BootstrapError> {
        sqlx::query_scalar("select exists (select from token where digest = $1 and revoked is null and (expires is null or expires > now()))")
            .bind(token::digest(secret.reveal()).to_vec())
            .fetch_one(&mut self.0)
            .await
            .map_err(|source| BootstrapError::Sql {
                doing: "looking for a token",
                source,
            })
    }
}
