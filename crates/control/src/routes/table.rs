//! The one table of the API: method, path, who may, what it takes and gives, and its handler. One function a noun.

use super::Stage::{Code, Enrol, Open};
use super::{ANYBODY, Route, account, both, delete, get, patch, post, put, staff};
use crate::http::identity::{account as own_account, members, persons, rescues as rescue, sessions, staff as desk};
use crate::http::{
    accounts, agreements, archive, backups, cases, console, erasures, events, evidence, figures, firewalls, flow,
    grants, journal, licences, mails, me, money, networks, notify, orders, proposals, rules, solutions, strays,
    targets, tokens, updates,
};
use husorden_wire::api::{self, Capability as Can};

const PAGE: &[&str] = &["after", "limit"];

/// Every route.
#[must_use]
pub fn table() -> Vec<Route> {
    [
        platform(),
        solutions(),
        private_networks(),
        saved(),
        firewalls(),
        licences(),
        agreed(),
        accounts(),
        identity(),
        rescues(),
        people(),
        cases(),
        rules(),
        plans(),
        evidence(),
        notify(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[rustfmt::skip]
fn platform() -> Vec<Route> {
    use api::{Kind, Me};
    vec![
        get("/healthz", ANYBODY, "Whether the API and its database are alive", me::health),
        get("/v1/openapi.json", ANYBODY, "This description", me::document),
        get("/v1/authority.pem", ANYBODY, "The certificate of the installation's own authority, which the names of databases are verified by", me::authority).gives_bytes(),
        get("/v1/me", both(Can::Own), "Who asks, and what they may", me::me).gives::<Me>().when_held(),
        get("/v1/kinds", both(Can::Read), "The kinds of solutions and their specs", me::kinds).gives_page::<Kind>(),
    ]
}

#[rustfmt::skip]
fn solutions() -> Vec<Route> {
    use api::{AccessOpen, CredentialForm, CredentialShown, Event, Figure, LogAsk, LogLine, Order, Proposal, ProposalAccept, Rebuild, Snapshot, SnapshotCreate, SnapshotSchedule, SnapshotScheduleChange, Solution, SolutionChange, SolutionChanged, SolutionCreate, SolutionCreated, Updates};
    vec![
        get("/v1/solutions", both(Can::Read), "List solutions", solutions::list).gives_page::<Solution>()
            .asks(&["after", "limit", "kind", "state", "label", "q", "account"]),
        post("/v1/solutions", both(Can::SolutionCreate), "Make a solution", solutions::create).takes::<SolutionCreate>().gives::<SolutionCreated>().status(201),
        get("/v1/solutions/{solution}", both(Can::Read), "Show a solution, by id or name", solutions::get).gives::<Solution>(),
        patch("/v1/solutions/{solution}", both(Can::SolutionChange), "Change a solution; passwords that come with it are shown once", solutions::change).takes::<SolutionChange>().gives::<SolutionChanged>(),
        delete("/v1/solutions/{solution}", both(Can::SolutionDelete), "Delete a solution; undo brings it back until its retention is over", solutions::delete)
            .gives::<Solution>().dangerous(),
        post("/v1/solutions/{solution}/start", both(Can::SolutionChange), "Let a solution run", solutions::start).gives::<Solution>(),
        post("/v1/solutions/{solution}/stop", both(Can::SolutionChange), "Stop a solution and keep its data", solutions::stop).gives::<Solution>(),
        post("/v1/solutions/{solution}/undo", both(Can::SolutionChange), "Undo a deletion (the answer is the solution), or the newest restore, unpacking or destructive change (an order)", solutions::undo)
            .gives::<Order>().status(202),
        post("/v1/solutions/{solution}/wake", both(Can::SolutionChange), "Start its services now rather than at the first request", orders::wake)
            .gives::<Order>().status(202),
        post("/v1/solutions/{solution}/sleep", both(Can::SolutionChange), "Stop its services until the next request", orders::sleep).gives::<Order>().status(202),
        post("/v1/solutions/{solution}/reset", both(Can::SolutionChange), "Take the power from its services and start them again, as a loss of power would", orders::reset)
            .gives::<Order>().status(202),
        post("/v1/solutions/{solution}/rebuild", both(Can::SolutionChange), "Make its data anew from what it was made from, with other fields of the spec if they are given; a snapshot is taken first, and undo brings it back", solutions::rebuilt)
            .takes::<Rebuild>().gives::<SolutionChanged>(),
        post("/v1/solutions/{solution}/archive", both(Can::SolutionChange), "Upload an archive and unpack it into the solution's files", archive::upload)
            .takes_bytes().gives::<Order>().asks(&["format", "into"]).status(202),
        get("/v1/solutions/{solution}/dump", both(Can::SolutionChange), "Get a part of the solution, such as a database, as one stream", flow::dump)
            .asks(&["part", "format"]),
        get("/v1/solutions/{solution}/package", both(Can::SolutionChange), "Get the whole solution as a package for leaving: a tar with the commands that bring it back on a plain Debian", flow::package)
            .gives_bytes(),
        post("/v1/solutions/{solution}/load", both(Can::SolutionChange), "Upload a file and take it in as a part of the solution; a snapshot is taken first", flow::load)
            .takes_bytes().gives::<Order>().asks(&["part", "format"]).status(202),
        post("/v1/solutions/{solution}/credentials/{credential}", both(Can::SolutionChange), "Make a new password, shown once, or set the one that is sent", solutions::credential)
            .takes::<CredentialForm>().gives::<CredentialShown>(),
        get("/v1/solutions/{solution}/snapshots", both(Can::Read), "List snapshots", orders::snapshots).gives_page::<Snapshot>().asks(PAGE),
        post("/v1/solutions/{solution}/snapshots", both(Can::SolutionChange), "Take a snapshot", orders::snapshot)
            .takes::<SnapshotCreate>().gives::<Order>().status(202),
        delete("/v1/solutions/{solution}/snapshots/{snapshot}", both(Can::SolutionDelete), "Delete a snapshot", orders::snapshot_delete)
            .gives::<Order>().status(202).dangerous(),
        post("/v1/solutions/{solution}/snapshots/{snapshot}/restore", both(Can::SolutionChange), "Bring a solution back to a snapshot", orders::snapshot_restore)
            .gives::<Order>().status(202),
        get("/v1/solutions/{solution}/snapshot-schedule", both(Can::Read), "When snapshots are taken by themselves, and how many of those are kept", orders::snapshot_schedule)
            .gives::<SnapshotSchedule>(),
        put("/v1/solutions/{solution}/snapshot-schedule", both(Can::SolutionChange), "Change when snapshots are taken by themselves; those beyond how many are kept go, the oldest first", orders::snapshot_schedule_change)
            .takes::<SnapshotScheduleChange>().gives::<SnapshotSchedule>(),
        post("/v1/solutions/{solution}/access", both(Can::SolutionChange), "Let the address that this comes from connect for a while; it ends by itself", proposals::open)
            .takes::<AccessOpen>().gives::<Solution>().dangerous(),
        get("/v1/solutions/{solution}/proposals", both(Can::Read), "List who tried to connect and was refused, newest first", proposals::list)
            .gives_page::<Proposal>(),
        post("/v1/solutions/{solution}/proposals/{proposal}/accept", both(Can::SolutionChange), "Put who was refused on the list of who may connect", proposals::accept)
            .takes::<ProposalAccept>().gives::<Solution>(),
        delete("/v1/solutions/{solution}/proposals/{proposal}", both(Can::SolutionChange), "Dismiss a proposal; it is not made again while the same source goes on", proposals::dismiss)
            .status(204),
        get("/v1/solutions/{solution}/updates", both(Can::Read), "What it runs on, what newer there is, when it may be updated, and how its updates ended", updates::show)
            .gives::<Updates>(),
        post("/v1/solutions/{solution}/updates", both(Can::SolutionChange), "Update it now rather than in its maintenance window", updates::now)
            .gives::<Order>().status(202),
        get("/v1/solutions/{solution}/figures", both(Can::Read), "What was measured of a solution while it ran in the last hours, as curves", figures::list)
            .gives_page::<Figure>().asks(&["hours"]),
        get("/v1/solutions/{solution}/screen", both(Can::SolutionChange), "A picture (PNG) of what a solution's screen shows now, which may be anybody's data; nothing is kept of it", console::screen)
            .gives_bytes().data_out(),
        get("/v1/solutions/{solution}/console", both(Can::SolutionChange), "A solution's console: a WebSocket (RFC 6455) that carries its screen and its keys as RFB (RFC 6143) in binary messages", console::console)
            .status(101).data_out(),
        post("/v1/solutions/{solution}/log", both(Can::SolutionChange), "The newest lines of what a solution's services said, which may be anybody's data", journal::read)
            .takes::<LogAsk>().gives_page::<LogLine>(),
        get("/v1/solutions/{solution}/orders", both(Can::Read), "List what was asked of the node", orders::list).gives_page::<Order>().asks(&["after", "limit", "newest"]),
        get("/v1/orders/{order}", both(Can::Read), "Show how far an order is", orders::get).gives::<Order>(),
        get("/v1/solutions/{solution}/events", both(Can::Read), "What happened to a solution; a stream with Accept: text/event-stream", events::of_solution)
            .gives_page::<Event>().asks(PAGE),
        get("/v1/events", both(Can::Read), "What happened; a stream with Accept: text/event-stream", events::all).gives_page::<Event>().asks(PAGE),
    ]
}

#[rustfmt::skip]
fn private_networks() -> Vec<Route> {
    use api::{Network, NetworkChange, NetworkCreate};
    vec![
        get("/v1/networks", both(Can::Read), "List private networks with their servers; an account sees its own", networks::list)
            .gives_page::<Network>().asks(&["after", "limit", "account"]),
        post("/v1/networks", both(Can::SolutionCreate), "Make a private network; servers join it by their specs", networks::create)
            .takes::<NetworkCreate>().gives::<Network>().status(201),
        get("/v1/networks/{network}", both(Can::Read), "Show a private network with its servers, by id or name", networks::get).gives::<Network>(),
        patch("/v1/networks/{network}", both(Can::SolutionChange), "Give a private network another name", networks::change)
            .takes::<NetworkChange>().gives::<Network>(),
        delete("/v1/networks/{network}", both(Can::SolutionDelete), "Delete a private network that no server is in", networks::delete).status(204),
    ]
}

fn firewalls() -> Vec<Route> {
    use api::{Firewall, FirewallChange, FirewallCreate, ReverseNameForm, Solution};
    vec![
        get("/v1/firewalls", both(Can::Read), "List firewalls: what is let in at public addresses", firewalls::list)
            .gives_page::<Firewall>()
            .asks(PAGE),
        post("/v1/firewalls", both(Can::SolutionChange), "Make a firewall", firewalls::create)
            .takes::<FirewallCreate>()
            .gives::<Firewall>()
            .status(201),
        get(
            "/v1/firewalls/{firewall}",
            both(Can::Read),
            "Show a firewall, by id or name, with the solutions it holds for",
            firewalls::get,
        )
        .gives::<Firewall>(),
        patch(
            "/v1/firewalls/{firewall}",
            both(Can::SolutionChange),
            "Change a firewall; it is in force within a pass, and connections that it no longer lets in are cut",
            firewalls::change,
        )
        .takes::<FirewallChange>()
        .gives::<Firewall>(),
        delete(
            "/v1/firewalls/{firewall}",
            both(Can::SolutionChange),
            "Delete a firewall; what it alone opened is closed",
            firewalls::delete,
        )
        .status(204),
        put(
            "/v1/solutions/{solution}/reverse-names",
            both(Can::SolutionChange),
            "Say which name leads back from a public address, or that none does",
            firewalls::rename,
        )
        .takes::<ReverseNameForm>()
        .gives::<Solution>(),
        get(
            "/v1/reverse-zone",
            staff(Can::StaffRead),
            "Every name that leads back from a public address, as PTR records of a zone file",
            firewalls::zone,
        )
        .gives_bytes(),
    ]
}

#[rustfmt::skip]
fn agreed() -> Vec<Route> {
    use api::{Agreement, AgreementAsk, AgreementDecide, AgreementEnd};
    vec![
        get("/v1/solutions/{solution}/agreements", both(Can::Read), "What a solution has agreements on, or has asked for, newest first", agreements::of_solution)
            .gives_page::<Agreement>(),
        post("/v1/solutions/{solution}/agreements", both(Can::SolutionChange), "Ask that TCP port 25 out is opened to a server, with the number of messages a week that are expected; staff decide", agreements::ask)
            .takes::<AgreementAsk>().gives::<Agreement>().status(201),
        get("/v1/agreements", both(Can::Read), "List agreements, oldest first; an account sees its own. state is asked, agreed, refused or ended", agreements::list)
            .gives_page::<Agreement>().asks(&["after", "limit", "state", "account"]),
        get("/v1/agreements/{agreement}", both(Can::Read), "Show an agreement", agreements::get).gives::<Agreement>(),
        post("/v1/agreements/{agreement}/decide", staff(Can::CaseDecide), "Say yes or no to what was asked for; a yes is in force within a pass, and may end by itself", agreements::decide)
            .takes::<AgreementDecide>().gives::<Agreement>(),
        post("/v1/agreements/{agreement}/end", staff(Can::CaseDecide), "End what was agreed, and say why; connections to port 25 are cut", agreements::end)
            .takes::<AgreementEnd>().gives::<Agreement>(),
        delete("/v1/agreements/{agreement}", both(Can::SolutionChange), "Withdraw what was asked for, or end what was agreed; connections to port 25 are cut", agreements::withdraw)
            .gives::<Agreement>(),
    ]
}

#[rustfmt::skip]
fn saved() -> Vec<Route> {
    use api::{Backup, BackupChanges, BackupFolder, BackupPlan, BackupPlanChange, BackupRestore, BackupRestoring, BackupVersion, Proof, SolutionProof, Target, TargetChange, TargetCreate, TargetRound, TargetWord};
    vec![
        get("/v1/solutions/{solution}/backup-plan", both(Can::Read), "When a solution is backed up, and how its backups stand", backups::plan_show)
            .gives::<BackupPlan>().data_out(),
        put("/v1/solutions/{solution}/backup-plan", both(Can::SolutionChange), "Change when a solution is backed up, or turn it off with a reason where that may be", backups::plan_change)
            .takes::<BackupPlanChange>().gives::<BackupPlan>(),
        get("/v1/solutions/{solution}/backups", both(Can::Read), "List backups, newest first", backups::list).gives_page::<Backup>().asks(PAGE).data_out(),
        post("/v1/solutions/{solution}/backups", both(Can::SolutionChange), "Back a solution up now", backups::create).gives::<Backup>().status(202),
        get("/v1/solutions/{solution}/backups/{backup}", both(Can::Read), "Show a backup", backups::get).gives::<Backup>().data_out(),
        post("/v1/solutions/{solution}/backups/{backup}/restore", both(Can::SolutionChange), "Put a backup, or a part of it, in the place of what is there; a snapshot is taken first, and undo goes back to it", backups::restore)
            .takes::<BackupRestore>().gives::<BackupRestoring>().status(202),
        get("/v1/solutions/{solution}/backups/{backup}/files", both(Can::SolutionChange), "The entries of a folder in a backup", backups::files)
            .gives::<BackupFolder>().asks(&["path"]).data_out(),
        get("/v1/solutions/{solution}/backups/{backup}/content", both(Can::SolutionChange), "A file of a backup, or with as=folder a folder as a tar archive", backups::content)
            .gives_bytes().asks(&["path", "as"]).data_out(),
        get("/v1/solutions/{solution}/backups/{backup}/changes", both(Can::SolutionChange), "What is otherwise in a backup than in an older one", backups::changes)
            .gives::<BackupChanges>().asks(&["since", "path"]).data_out(),
        get("/v1/solutions/{solution}/versions", both(Can::SolutionChange), "The newest backups that hold a file, with its size and time", backups::versions)
            .gives_page::<BackupVersion>().asks(&["path"]).data_out(),
        get("/v1/solutions/{solution}/proofs", both(Can::Read), "List proofs of a solution's backups, newest first", backups::proofs).gives_page::<Proof>().asks(PAGE),
        get("/v1/proofs", both(Can::Read), "How each solution stands with its proofs", backups::all_proofs).gives_page::<SolutionProof>().asks(PAGE),
        get("/v1/targets", staff(Can::StaffRead), "List the places where backups lie", targets::list).gives_page::<Target>(),
        post("/v1/targets", staff(Can::NodeOperate), "Make a target", targets::create).takes::<TargetCreate>().gives::<Target>().status(201).dangerous(),
        patch("/v1/targets/{target}", staff(Can::NodeOperate), "Change a target; where it lies stays", targets::change)
            .takes::<TargetChange>().gives::<Target>().dangerous(),
        post("/v1/targets/{target}/retire", staff(Can::NodeOperate), "Take a target out of use: what lies there is read still", targets::retire)
            .gives::<Target>().dangerous(),
        post("/v1/targets/{target}/rounds", staff(Can::TargetKeep), "Tell what went at a target, and hear what must stay: for its own side", targets::round)
            .takes::<TargetRound>().gives::<TargetWord>(),
    ]
}

#[rustfmt::skip]
fn accounts() -> Vec<Route> {
    use api::{Account, AccountCreate, Grant, GrantCreate, Token, TokenCreate};
    vec![
        get("/v1/accounts", staff(Can::StaffRead), "List accounts", accounts::list).gives_page::<Account>().asks(&["after", "limit", "q"]),
        post("/v1/accounts", staff(Can::AccountAdminister), "Make an account", accounts::create).takes::<AccountCreate>().gives::<Account>().status(201),
        get("/v1/grants", both(Can::Read), "List what lets staff act on solutions; an account sees its own", grants::list)
            .gives_page::<Grant>().asks(&["after", "limit", "account"]),
        post("/v1/grants", both(Can::TokenManage), "Let staff act on solutions for a time; staff break the glass", grants::create)
            .takes::<GrantCreate>().gives::<Grant>().status(201).dangerous(),
        delete("/v1/grants/{grant}", both(Can::TokenManage), "End a grant before its time", grants::end).status(204),
        get("/v1/tokens", both(Can::TokenManage), "List tokens", tokens::list).gives_page::<Token>().asks(PAGE),
        post("/v1/tokens", both(Can::TokenManage), "Make a token, shown once", tokens::create).takes::<TokenCreate>().gives::<Token>().status(201).dangerous(),
        delete("/v1/tokens/{token}", both(Can::TokenManage), "Revoke a token", tokens::revoke).status(204),
    ]
}

#[rustfmt::skip]
fn identity() -> Vec<Route> {
    use api::{EmailChange, EmailChanged, EmailSecret, LogIn, PasswordChange, PasswordReset, PasswordResetUse, PasswordResetUsed, Person, PersonChange, RecoveryCodes, SecondFactor,
              Session, SessionListed, SessionMove, SessionOpened, StepUp, TotpBegun, TotpConfirm, TotpConfirmed};
    vec![
        post("/v1/sessions", ANYBODY, "Log in by password", sessions::open).takes::<LogIn>().gives::<SessionOpened>().status(201),
        get("/v1/sessions", both(Can::Own), "List one's sessions", sessions::list).gives_page::<SessionListed>().of_person(Open).when_held(),
        delete("/v1/sessions/{session}", both(Can::Own), "End one of one's sessions", sessions::end).status(204).of_person(Open).when_held(),
        delete("/v1/sessions", both(Can::Own), "Log out everywhere", sessions::end_all).status(204).of_person(Enrol).when_held(),
        get("/v1/session", both(Can::Own), "Who is logged in, where, and what must be done first", sessions::get).gives::<Session>().of_person(Code).when_held(),
        delete("/v1/session", both(Can::Own), "Log out", sessions::log_out).status(204).of_person(Code).when_held(),
        post("/v1/session/second-factor", both(Can::Own), "Give the second factor", sessions::second_factor)
            .takes::<SecondFactor>().gives::<SessionOpened>().of_person(Code).when_held(),
        post("/v1/session/step-up", both(Can::Own), "Prove anew who one is, for what is dangerous", sessions::step_up)
            .takes::<StepUp>().gives::<SessionOpened>().of_person(Enrol).when_held(),
        put("/v1/session/account", both(Can::Own), "Stand in another of one's accounts", sessions::move_to)
            .takes::<SessionMove>().gives::<SessionOpened>().of_person(Enrol).when_held(),
        get("/v1/person", both(Can::Own), "One's own profile", persons::get).gives::<Person>().of_person(Enrol).when_held(),
        patch("/v1/person", both(Can::Own), "Change one's own profile", persons::change).takes::<PersonChange>().gives::<Person>().of_person(Enrol).when_held(),
        post("/v1/person/password", both(Can::Own), "Change one's password; all other sessions end", persons::password)
            .takes::<PasswordChange>().gives::<SessionOpened>().of_person(Open),
        post("/v1/person/email", both(Can::Own), "Wish for another e-mail address; it counts when the new mailbox has confirmed it", persons::email)
            .takes::<EmailChange>().status(202).of_person(Open).dangerous(),
        post("/v1/person/email/confirm", ANYBODY, "Confirm a new address, with the secret from the mail to it", persons::email_confirm)
            .takes::<EmailSecret>().gives::<EmailChanged>(),
        post("/v1/person/email/undo", ANYBODY, "Take a new address back, with the secret from the mail to the old one; every session ends", persons::email_undo)
            .takes::<EmailSecret>().gives::<EmailChanged>(),
        post("/v1/person/totp", both(Can::Own), "Begin to set up a second factor", persons::totp_begin).gives::<TotpBegun>().status(201).of_person(Enrol).dangerous(),
        post("/v1/person/totp/confirm", both(Can::Own), "Confirm the second factor with a code of it", persons::totp_confirm)
            .takes::<TotpConfirm>().gives::<TotpConfirmed>().of_person(Enrol),
        delete("/v1/person/totp", both(Can::Own), "Take the second factor away, where nothing requires it", persons::totp_remove).status(204).of_person(Open).dangerous(),
        post("/v1/person/recovery-codes", both(Can::Own), "Make fresh recovery codes; the earlier ones end", persons::recovery_codes)
            .gives::<RecoveryCodes>().status(201).of_person(Open).dangerous(),
        post("/v1/password-resets", ANYBODY, "Ask for a new password by mail; the answer is the same whoever asks", persons::reset_wish)
            .takes::<PasswordReset>().status(202),
        post("/v1/password-resets/use", ANYBODY, "Set a new password with the secret from the mail", persons::reset_use)
            .takes::<PasswordResetUse>().gives::<PasswordResetUsed>(),
    ]
}

#[rustfmt::skip]
fn rescues() -> Vec<Route> {
    use api::{Rescue, RescueAsk, RescueCheckCreate, RescueSecret, RescueUsed};
    vec![
        post("/v1/rescues", ANYBODY, "Ask for help with a lost second factor; the answer is the same whoever asks", rescue::ask).takes::<RescueAsk>().status(202),
        post("/v1/rescues/stop", ANYBODY, "Stop the help, with the secret from any of its mails", rescue::stop).takes::<RescueSecret>(),
        post("/v1/rescues/use", ANYBODY, "Take the lost second factor away, with the secret from the last mail; a log-in that enrols anew follows", rescue::spend)
            .takes::<RescueSecret>().gives::<RescueUsed>(),
        get("/v1/rescues", staff(Can::AccountAdminister), "List who asks for help with a lost second factor; all=true names those that are over too", rescue::list)
            .gives_page::<Rescue>().asks(&["after", "limit", "all"]),
        get("/v1/rescues/{rescue}", staff(Can::AccountAdminister), "Show one", rescue::get).gives::<Rescue>(),
        post("/v1/rescues/{rescue}/checks", staff(Can::AccountAdminister), "Write down how one made sure who it is; the delay begins, or with a second one of staff ends", rescue::check)
            .takes::<RescueCheckCreate>().gives::<Rescue>().status(201).of_person(Open).dangerous(),
    ]
}

#[rustfmt::skip]
fn people() -> Vec<Route> {
    use api::{AccountChange, AccountShown, Invitation, InvitationAccept, InvitationAccepted, InvitationCreate, InvitationSecret, InvitationSeen,
              Member, MemberChange, StaffChange, StaffInvite, StaffMember};
    vec![
        get("/v1/account", account(Can::Read), "One's account, with its holder", own_account::own).gives::<AccountShown>(),
        patch("/v1/account", account(Can::AccountManage), "Change the account, its holder, and what it requires of members", own_account::change_own)
            .takes::<AccountChange>().gives::<AccountShown>().dangerous(),
        get("/v1/members", account(Can::Read), "List members", members::list).gives_page::<Member>().asks(PAGE),
        patch("/v1/members/{person}", account(Can::MemberManage), "Give a member another role", members::change).takes::<MemberChange>().gives::<Member>().dangerous(),
        delete("/v1/members/{person}", account(Can::MemberManage), "Send a member away", members::remove).status(204).dangerous(),
        get("/v1/invitations", account(Can::MemberManage), "List open invitations", members::invitations).gives_page::<Invitation>().asks(PAGE),
        post("/v1/invitations", account(Can::MemberManage), "Invite somebody by e-mail; it holds for 7 days", members::invite)
            .takes::<InvitationCreate>().gives::<Invitation>().status(201).dangerous(),
        delete("/v1/invitations/{invitation}", account(Can::MemberManage), "Withdraw an invitation", members::withdraw).status(204),
        post("/v1/invitations/look", ANYBODY, "What an invitation is to, with the secret from its mail", members::look)
            .takes::<InvitationSecret>().gives::<InvitationSeen>(),
        post("/v1/invitations/accept", ANYBODY, "Take an invitation up", members::accept).takes::<InvitationAccept>().gives::<InvitationAccepted>().status(201),
        get("/v1/accounts/{account}", staff(Can::StaffRead), "Show an account, by id or name", own_account::any).gives::<AccountShown>(),
        patch("/v1/accounts/{account}", staff(Can::AccountAdminister), "Change an account", own_account::change_any)
            .takes::<AccountChange>().gives::<AccountShown>().dangerous(),
        post("/v1/accounts/{account}/invitations", staff(Can::AccountAdminister), "Invite the first owner of an account", desk::invite_to_account)
            .takes::<InvitationCreate>().gives::<Invitation>().status(201).dangerous(),
        get("/v1/staff", staff(Can::StaffRead), "List who is staff", desk::list).gives_page::<StaffMember>().asks(PAGE),
        post("/v1/staff", staff(Can::StaffManage), "Invite somebody to staff", desk::invite).takes::<StaffInvite>().gives::<Invitation>().status(201).dangerous(),
        patch("/v1/staff/{person}", staff(Can::StaffManage), "Give somebody of staff other roles", desk::change).takes::<StaffChange>().gives::<StaffMember>().dangerous(),
        delete("/v1/staff/{person}", staff(Can::StaffManage), "Take somebody off staff", desk::remove).status(204).dangerous(),
    ]
}

#[rustfmt::skip]
fn licences() -> Vec<Route> {
    use api::{LicencePool, LicencePoolForm};
    vec![
        get("/v1/licences", staff(Can::StaffRead), "List the pools of licences of operating systems, and who has a seat", licences::list).gives_page::<LicencePool>(),
        put("/v1/licences/{pool}", staff(Can::NodeOperate), "Say how many seats a pool of licences has", licences::set).takes::<LicencePoolForm>().gives::<LicencePool>(),
        delete("/v1/licences/{pool}", staff(Can::NodeOperate), "Take away a pool of licences that nobody has a seat in", licences::remove).status(204),
    ]
}

#[rustfmt::skip]
fn cases() -> Vec<Route> {
    use api::{BuildAsk, Case, CaseClose, CaseCreate, CaseNoteCreate, Complaint, ComplaintAnswer, ComplaintCreate, Measure, MeasureLift, Node,
        Solution, Statement, Stray, StrayTake};
    vec![
        get("/v1/cases", staff(Can::StaffRead), "List cases, newest first", cases::list).gives_page::<Case>()
            .asks(&["after", "limit", "state", "account", "solution", "clause", "q", "complaint"]),
        post("/v1/cases", staff(Can::CaseHandle), "Open a case", cases::open).takes::<CaseCreate>().gives::<Case>().status(201),
        get("/v1/cases/{case}", staff(Can::StaffRead), "Show a case, by id or number", cases::get).gives::<Case>(),
        post("/v1/cases/{case}/notes", staff(Can::CaseHandle), "Add a note to a case", cases::note).takes::<CaseNoteCreate>().gives::<Case>().status(201),
        post("/v1/cases/{case}/close", staff(Can::CaseDecide), "Close a case in which nothing holds and nothing waits", cases::close)
            .takes::<CaseClose>().gives::<Case>(),
        post("/v1/cases/{case}/decisions", staff(Can::CaseDecide), "Decide in a case: a measure, with clause and reasons", cases::decide)
            .takes_object().gives::<Measure>().status(201).dangerous(),
        get("/v1/measures", both(Can::Read), "List measures; an account sees its own", cases::measures).gives_page::<Measure>().asks(PAGE).when_held(),
        get("/v1/measures/{measure}", both(Can::Read), "The statement of reasons of a decision", cases::statement).gives::<Statement>().when_held(),
        post("/v1/measures/{measure}/complaints", account(Can::Complain), "Complain about a decision", cases::complain)
            .takes::<ComplaintCreate>().gives::<Complaint>().status(201).when_held(),
        get("/v1/complaints", both(Can::Read), "List complaints, oldest first; an account sees its own", cases::complaints)
            .gives_page::<Complaint>().asks(&["after", "limit", "state"]).when_held(),
        post("/v1/complaints/{complaint}/answer", staff(Can::CaseDecide), "Decide on a complaint; one that is upheld lifts the measure", cases::answer)
            .takes::<ComplaintAnswer>().gives::<Complaint>().dangerous(),
        post("/v1/measures/{measure}/lift", staff(Can::CaseDecide), "Lift a measure, with reasons", cases::lift).takes::<MeasureLift>().gives::<Measure>().dangerous(),
        get("/v1/nodes", staff(Can::StaffRead), "List nodes, with the builds that did not hold on each", accounts::nodes).gives_page::<Node>(),
        get("/v1/strays", staff(Can::StaffRead), "List what nodes hold and nobody here knows of: it came after the backup that the platform was brought back from", strays::list)
            .gives_page::<Stray>(),
        post("/v1/strays/{stray}/take", staff(Can::NodeOperate), "Take over what a node holds, into the account that it is of", strays::take)
            .takes::<StrayTake>().gives::<Solution>().dangerous(),
        post("/v1/builds", staff(Can::NodeOperate), "Have a node build a runtime anew, from today's packages", accounts::build)
            .takes::<BuildAsk>().gives::<Node>().status(202),
    ]
}

#[rustfmt::skip]
fn rules() -> Vec<Route> {
    use api::{Rules, RulesAccept, RulesAcceptance, RulesAccepted, RulesVersion};
    vec![
        get("/v1/rules", ANYBODY, "The house rules that hold now, in both languages, with who answers for what", rules::now).gives::<Rules>(),
        get("/v1/rules/versions", ANYBODY, "The versions of the house rules", rules::versions).gives_page::<RulesVersion>(),
        get("/v1/rules/versions/{version}", ANYBODY, "One version of the house rules, with what changed from the one before", rules::version)
            .gives::<Rules>(),
        get("/v1/rules/acceptance", both(Can::Read), "Which versions of the house rules the account has accepted, and whether it must accept again", rules::acceptance)
            .gives::<RulesAccepted>().asks(&["account"]).when_held(),
        post("/v1/rules/acceptance", account(Can::AccountManage), "Accept a version of the house rules for the account", rules::accept)
            .takes::<RulesAccept>().gives::<RulesAcceptance>().status(201).when_held(),
    ]
}

#[rustfmt::skip]
fn plans() -> Vec<Route> {
    use api::{Ending, LedgerEntry, Payment, Plan, PlanChange, PlanCreate, Posting, Subscription, SubscriptionCreate, SubscriptionEnd};
    vec![
        get("/v1/plans", both(Can::Read), "List plans and add-ons", money::plans).gives_page::<Plan>(),
        post("/v1/plans", staff(Can::MoneyHandle), "Make a plan", money::plan_create).takes::<PlanCreate>().gives::<Plan>().status(201),
        patch("/v1/plans/{plan}", staff(Can::MoneyHandle), "Change a plan; a price holds from the next period", money::plan_change)
            .takes::<PlanChange>().gives::<Plan>(),
        get("/v1/subscriptions", both(Can::Read), "List subscriptions", money::subscriptions).gives_page::<Subscription>().asks(&["after", "limit", "account"]),
        post("/v1/subscriptions", both(Can::BillingManage), "Order a plan or an add-on: its first period begins", money::subscribe)
            .takes::<SubscriptionCreate>().gives::<Subscription>().status(201),
        get("/v1/subscriptions/export", both(Can::BillingManage), "All subscriptions as CSV", money::subscriptions_export).asks(&["account"]),
        get("/v1/subscriptions/{subscription}", both(Can::Read), "Show a subscription", money::subscription_get).gives::<Subscription>(),
        get("/v1/subscriptions/{subscription}/ending", both(Can::Read), "What ending it now would mean in money; changes nothing", money::ending)
            .gives::<Ending>().asks(&["why"]),
        post("/v1/subscriptions/{subscription}/end", both(Can::BillingManage), "Let a subscription run out (the answer is the subscription), or end it now (an ending)", money::end)
            .takes::<SubscriptionEnd>().gives::<Ending>().dangerous(),
        get("/v1/ledger", both(Can::BillingManage), "Entries of the ledger, oldest first", money::entries)
            .gives_page::<LedgerEntry>().asks(&["after", "limit", "account"]),
        get("/v1/ledger/balance", both(Can::BillingManage), "The sum of each ledger", money::balance).gives_page::<Posting>().asks(&["account"]),
        get("/v1/ledger/export", both(Can::BillingManage), "The ledger as CSV, a row for each posting", money::ledger_export).asks(&["account"]),
        post("/v1/ledger/payments", staff(Can::MoneyHandle), "Enter money that came in", money::payment)
            .takes::<Payment>().gives_page::<Posting>().status(201),
    ]
}

#[rustfmt::skip]
fn evidence() -> Vec<Route> {
    use api::{Erasure, ErasureCreate, Evidence, EvidenceCheckpoint, EvidenceLog, PersonLeft};
    vec![
        get("/v1/evidence", both(Can::Read), "What was done and by whom; an account sees its own lines. order=newest turns it, before= goes a page back", evidence::list)
            .gives_page::<Evidence>()
            .asks(&["after", "before", "limit", "order", "q", "act", "who", "account", "solution", "from", "to"]).when_held(),
        get("/v1/evidence/export", both(Can::Read), "Evidence as a file: format=jsonl with proofs for `husorden evidence verify`, or format=csv for people", evidence::export)
            .asks(&["format", "account"]).when_held(),
        get("/v1/evidence/checkpoints", both(Can::Read), "Signed checkpoints, the largest tree first", evidence::checkpoints)
            .gives_page::<EvidenceCheckpoint>().asks(PAGE).when_held(),
        get("/v1/erasures", both(Can::AccountManage), "Who left and is named in the log still; staff name an account, or ask for who is a member nowhere", erasures::list)
            .gives_page::<PersonLeft>().asks(&["account"]),
        post("/v1/erasures", both(Can::AccountManage), "Erase what names a person who left from the log; the tree holds", erasures::create)
            .takes::<ErasureCreate>().gives::<Erasure>().status(202).dangerous(),
        get("/v1/evidence/key", both(Can::Read), "The log's name and public keys, and for staff how it is", evidence::key).gives::<EvidenceLog>().when_held(),
    ]
}

#[rustfmt::skip]
fn notify() -> Vec<Route> {
    use api::{Delivery, Health, MailChange, MailChoice, Webhook, WebhookChange, WebhookCreate};
    vec![
        get("/v1/notifications", account(Can::Own), "Which events come as mail to whoever asks, in the account they stand in", mails::own)
            .gives_page::<MailChoice>().of_person(Open).when_held(),
        patch("/v1/notifications", account(Can::Own), "Choose which events come as mail", mails::change_own)
            .takes::<MailChange>().gives_page::<MailChoice>().of_person(Open).when_held(),
        get("/v1/members/{person}/notifications", account(Can::MemberManage), "Which events come as mail to a member", mails::of_member)
            .gives_page::<MailChoice>(),
        patch("/v1/members/{person}/notifications", account(Can::MemberManage), "Choose which events come as mail to a member", mails::change_of_member)
            .takes::<MailChange>().gives_page::<MailChoice>(),
        get("/v1/webhooks", account(Can::Read), "List webhooks", notify::list).gives_page::<Webhook>().asks(PAGE),
        post("/v1/webhooks", account(Can::TokenManage), "Make a webhook; its secret is shown once", notify::create)
            .takes::<WebhookCreate>().gives::<Webhook>().status(201),
        get("/v1/webhooks/{webhook}", account(Can::Read), "Show a webhook", notify::get).gives::<Webhook>(),
        patch("/v1/webhooks/{webhook}", account(Can::TokenManage), "Change a webhook, or give it a new secret", notify::change)
            .takes::<WebhookChange>().gives::<Webhook>(),
        delete("/v1/webhooks/{webhook}", account(Can::TokenManage), "Delete a webhook; what waits is not delivered", notify::delete).status(204),
        post("/v1/webhooks/{webhook}/test", account(Can::TokenManage), "Send a delivery that says nothing but that it came", notify::test)
            .gives::<Delivery>().status(202),
        get("/v1/webhooks/{webhook}/deliveries", account(Can::Read), "The newest deliveries of a webhook", notify::deliveries).gives_page::<Delivery>(),
        get("/v1/health", staff(Can::StaffRead), "How the house is: nodes, database, jobs, mails, measures, disk", notify::health).gives::<Health>(),
    ]
}
