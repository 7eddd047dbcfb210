//! The command line: the same API as everybody.
//!
//! A folder a noun, a file a verb. No kind of solution is named here: what a kind can be told comes from the API's own list
//! of kinds, so that a new kind needs no new command.

mod account;
mod agreement;
pub mod api;
mod attachment;
mod backup;
mod case;
mod context;
mod credential;
mod dump;
mod event;
mod evidence;
mod failure;
mod firewall;
mod kind;
mod licence;
mod lists;
mod money;
mod network;
mod notification;
mod order;
mod output;
mod passwords;
mod proposal;
mod rules;
mod snapshot;
mod solution;
mod wait;

pub use backup::Proofs;
pub use context::{API_PORT, Globals, language};
pub use failure::Failure;
pub use output::Format;

use std::process::ExitCode;

/// Every noun of the API.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Solutions of every kind
    #[command(subcommand)]
    Solution(solution::Verb),
    /// Snapshots of a solution
    #[command(subcommand)]
    Snapshot(snapshot::Verb),
    /// Archives: put files into a solution
    #[command(subcommand)]
    Archive(solution::archive::Verb),
    /// Parts of a solution, such as databases, as one stream: get one, load one
    #[command(subcommand)]
    Dump(dump::Verb),
    /// Backups of a solution: make, browse, put back
    #[command(subcommand)]
    Backup(backup::Verb),
    /// Whether backups hold; with --config, the role that proves them
    #[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
    Proof(backup::Proofs),
    /// Where backups lie (staff)
    #[command(subcommand)]
    Target(backup::TargetVerb),
    /// What a solution uses of another one of the account
    #[command(subcommand)]
    Attachment(attachment::Verb),
    /// Private networks, and which servers are in them
    #[command(subcommand)]
    Network(network::Verb),
    /// Who tried to connect to a solution and was refused
    #[command(subcommand)]
    Proposal(proposal::Verb),
    /// Rule sets: what is let in at public addresses
    #[command(subcommand)]
    Firewall(firewall::Verb),
    /// Licences of operating systems, in pools, and who has one (staff)
    #[command(subcommand)]
    Licence(licence::Verb),
    /// What is closed to all and opened to one solution, such as port 25 out
    #[command(subcommand)]
    Agreement(agreement::Verb),
    /// Passwords of a solution
    #[command(subcommand)]
    Credential(credential::Verb),
    /// Work that was asked for, and how far it is
    #[command(subcommand)]
    Order(order::Verb),
    /// What happened
    #[command(subcommand)]
    Event(event::Verb),
    /// Accounts (staff)
    #[command(subcommand)]
    Account(account::Verb),
    /// Tokens for the API
    #[command(subcommand)]
    Token(account::token::Verb),
    /// Cases under the house rules (staff)
    #[command(subcommand)]
    Case(case::Verb),
    /// The house rules: read, check, accept
    #[command(subcommand)]
    Rules(rules::Verb),
    /// Plans and add-ons: what is sold
    #[command(subcommand)]
    Plan(money::PlanVerb),
    /// Subscriptions: what was ordered, and how it ends
    #[command(subcommand)]
    Subscription(money::SubscriptionVerb),
    /// The books
    #[command(subcommand)]
    Ledger(money::LedgerVerb),
    /// Which events come to a member as mail
    #[command(subcommand)]
    Notification(notification::Verb),
    /// What decisions ordered
    #[command(subcommand)]
    Measure(lists::Measures),
    /// Complaints about decisions
    #[command(subcommand)]
    Complaint(case::complaint::Verb),
    /// The record of who did what: search, export, verify
    #[command(subcommand)]
    Evidence(evidence::Verb),
    /// Lists of leaked passwords, on this machine
    #[command(subcommand)]
    Passwords(passwords::Verb),
    /// Kinds of solutions there are
    Kinds,
    /// The certificate of the installation's own authority, which clients verify names by
    Ca,
    /// Every name that leads back from a public address, as PTR records of a zone file (staff)
    ReverseZone,
    /// Who I am to the API
    Me,
    /// The API's description (OpenAPI 3.1)
    Openapi,
}

/// Nodes, which stand under a verb of their own in the binary.
pub use lists::{build, nodes, strays, take};

/// Carries a command out and says how it went.
#[must_use]
pub fn run(globals: &Globals, command: Command) -> ExitCode {
    if let Command::Rules(verb) = &command
        && let Some(result) = verb.offline(globals.output())
    {
        return finish(result);
    }
    let command = match command {
        Command::Evidence(verb) => return finish(verb.run(globals)),
        other => other,
    };
    let result = globals.context().and_then(|context| match command {
        Command::Solution(verb) => verb.run(&context),
        Command::Snapshot(verb) => verb.run(&context),
        Command::Archive(verb) => verb.run(&context),
        Command::Dump(verb) => verb.run(&context),
        Command::Backup(verb) => verb.run(&context),
        Command::Proof(proofs) => proofs.verb.map_or(Ok(()), |verb| verb.run(&context)),
        Command::Target(verb) => verb.run(&context),
        Command::Attachment(verb) => verb.run(&context),
        Command::Network(verb) => verb.run(&context),
        Command::Proposal(verb) => verb.run(&context),
        Command::Firewall(verb) => verb.run(&context),
        Command::Licence(verb) => verb.run(&context),
        Command::Agreement(verb) => verb.run(&context),
        Command::Credential(verb) => verb.run(&context),
        Command::Order(verb) => verb.run(&context),
        Command::Event(verb) => verb.run(&context),
        Command::Account(verb) => verb.run(&context),
        Command::Token(verb) => verb.run(&context),
        Command::Case(verb) => verb.run(&context),
        Command::Rules(verb) => verb.run(&context),
        Command::Plan(verb) => verb.run(&context),
        Command::Subscription(verb) => verb.run(&context),
        Command::Ledger(verb) => verb.run(&context),
        Command::Notification(verb) => verb.run(&context),
        Command::Measure(verb) => verb.run(&context),
        Command::Complaint(verb) => verb.run(&context),
        // Handled above: the verifier works without an API.
        Command::Evidence(_) => Ok(()),
        Command::Passwords(verb) => verb.run(&context),
        Command::Kinds => kind::list(&context),
        Command::Ca => lists::ca(&context),
        Command::ReverseZone => lists::reverse_zone(&context),
        Command::Me => lists::me(&context),
        Command::Openapi => lists::openapi(&context),
    });
    finish(result)
}

/// `husorden <kind> create`, `change`, `list` and `schema`: any kind of the API's list, with flags of its own. The words
/// begin with the kind.
#[must_use]
pub fn run_kind(globals: &Globals, words: Vec<String>) -> ExitCode {
    finish(globals.context().and_then(|context| kind::run(context, words)))
}

/// Says what went wrong, and gives the exit status.
pub(crate) fn finish(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            #[allow(clippy::print_stderr, reason = "the command line says what went wrong")]
            {
                eprint!("{}", output::plain(&failure.text(language(), &kind::flag)));
            }
            ExitCode::from(failure.exit_code())
        }
    }
}
