-- The tables of control. Every one of them is under row-level security from its first day (0002_doors.sql).

-- One row: what holds for the whole installation.
create table platform (
    one_row     boolean primary key default true check (one_row),
    epoch       bigint not null default 1,
    installed   timestamptz not null default now(),
    -- The last number that a solution was given. Not a sequence, which does not roll back: creations that are refused would use
    -- up the numbers of the whole installation.
    last_number integer not null default 0 constraint platform_numbers_spent check (last_number between 0 and 4194302)
);
insert into platform default values;

create table account (
    id       uuid primary key,
    name     text not null constraint account_name_taken unique check (length(name) between 1 and 63),
    language text not null check (language in ('da', 'en')),
    created  timestamptz not null default now()
);

-- Only the SHA-256 of a token is kept.
create table token (
    id        uuid primary key,
    digest    bytea not null constraint token_digest_taken unique check (length(digest) = 32),
    role      text not null check (role in ('staff', 'account')),
    account   uuid references account,
    label     text not null check (length(label) between 1 and 200),
    read_only boolean not null default false,
    created   timestamptz not null default now(),
    expires   timestamptz,
    revoked   timestamptz,
    constraint token_role_fits check ((role = 'staff') = (account is null))
);
create index token_by_account on token (account);

create table node (
    name       text primary key,
    registered timestamptz not null default now(),
    -- The connection that speaks for the node now; a newer connection replaces it.
    link       uuid,
    connected  boolean not null default false,
    heard      timestamptz,
    version    integer,
    health     jsonb not null default '{}'
);

create table solution (
    id              uuid primary key,
    -- Given by a trigger and never twice, so rows are kept as tombstones.
    number          integer not null constraint solution_number_taken unique,
    account         uuid not null references account,
    node            text not null references node,
    name            text not null check (length(name) between 1 and 63),
    kind            text not null,
    aim             text not null check (aim in ('run', 'stop', 'gone')),
    -- What undo of a deletion goes back to.
    aim_before      text not null default 'run' check (aim_before in ('run', 'stop')),
    spec            jsonb not null,
    credentials     jsonb not null default '{}',
    labels          jsonb not null default '{}',
    protected       boolean not null default false,
    epoch           bigint not null,
    generation      bigint not null default 1,
    -- While an order must end before a newer spec may be pursued, the node is shown the spec in `held`, under a generation of its own.
    hold_for        uuid,
    held            jsonb,
    seen            jsonb,
    seen_state      text check (seen_state in ('settled', 'working', 'trouble')),
    seen_link       uuid,
    -- The newest generation the node has settled on.
    seen_generation bigint not null default 0,
    -- How full its volume was said to be, so that each step is said once: 0, 80, 90, or 100 when it takes no more.
    filled          smallint not null default 0 check (filled in (0, 80, 90, 100)),
    retain_until    timestamptz,
    deleted         timestamptz,
    created         timestamptz not null default now(),
    changed         timestamptz not null default now(),
    touched         bigint not null default 0,
    constraint solution_hold_fits check ((hold_for is null) = (held is null)),
    constraint solution_retention_fits check ((aim = 'gone') = (retain_until is not null))
);
create unique index solution_name_taken on solution (account, name) where deleted is null;
create index solution_to_send on solution (node, touched) where deleted is null;
create index solution_by_kind on solution (kind, id);
create index solution_retained on solution (retain_until) where aim = 'gone' and deleted is null;

-- Names that are one solution's alone in the whole installation: domains, addresses.
-- `coming` and `going` are there while a change waits for an order: whichever way it ends, the names are held.
create table claim (
    space    text not null,
    key      text not null,
    solution uuid not null references solution,
    account  uuid not null references account,
    state    text not null default 'held' check (state in ('held', 'coming', 'going')),
    constraint claim_taken primary key (space, key)
);
create index claim_by_solution on claim (solution);

create table snapshot (
    id       uuid primary key,
    solution uuid not null references solution,
    account  uuid not null references account,
    label    text not null,
    before   text,
    state    text not null check (state in ('taking', 'ready', 'deleting', 'failed')),
    -- The spec as it was at the snapshot; none for a snapshot that only the node knows of.
    spec     jsonb,
    -- The change it was taken before was brought back.
    undone   timestamptz,
    taken    timestamptz not null default now()
);
create index snapshot_by_solution on snapshot (solution, id);

-- The outbox to the nodes: what is done once.
create table verb_order (
    id       uuid primary key,
    solution uuid not null references solution,
    account  uuid not null references account,
    node     text not null references node,
    verb     text not null,
    body     jsonb not null,
    state    text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed')),
    progress jsonb,
    refusal  jsonb,
    snapshot uuid,
    -- The snapshot whose change this order brings back.
    undoes   uuid,
    -- File name in the spool of what the node fetches.
    spool    text,
    created  timestamptz not null default now(),
    ended    timestamptz,
    touched  bigint not null default 0
);
create index verb_order_by_solution on verb_order (solution, id);
create index verb_order_to_send on verb_order (node, touched) where state in ('queued', 'running');

-- Questions to nodes: asked by one control, answered by the node over whichever control it is linked to. An answer is somebody's own
-- words, so it stays for the moment it takes to read it, and in no log of the database's.
create unlogged table question (
    id       uuid primary key,
    solution uuid not null references solution,
    account  uuid not null references account,
    node     text not null references node,
    about    jsonb not null,
    answer   jsonb,
    asked    timestamptz not null default now(),
    touched  bigint not null default 0
);
create index question_to_send on question (node, touched) where answer is null;

create sequence case_number;

create table case_file (
    id       uuid primary key,
    number   text not null constraint case_number_taken unique,
    account  uuid not null references account,
    solution uuid references solution,
    clause   text not null,
    state    text not null default 'open' check (state in ('open', 'closed')),
    facts    text not null,
    created  timestamptz not null default now()
);

create sequence measure_revision;

create table measure (
    id           uuid primary key,
    revision     bigint not null default nextval('measure_revision'),
    case_id      uuid not null references case_file,
    case_number  text not null,
    clause       text not null,
    account      uuid not null references account,
    -- None: everything the account has.
    solution     uuid references solution,
    access       text not null check (access in ('full', 'decision', 'data-out', 'none')),
    fates        jsonb not null,
    reasons      text not null,
    starts       timestamptz not null,
    ends         timestamptz,
    silent_until timestamptz,
    lifted       timestamptz,
    lift_reasons text,
    touched      bigint not null default 0
);
create index measure_by_account on measure (account, id);
create index measure_by_case on measure (case_id);

-- How far each node is with a measure.
create table measure_node (
    measure  uuid not null references measure,
    node     text not null references node,
    state    text not null default 'ordered' check (state in ('ordered', 'kept', 'in-force', 'lifted')),
    kept     timestamptz,
    in_force timestamptz,
    lifted   timestamptz,
    primary key (measure, node)
);
create index measure_node_open on measure_node (node) where state <> 'lifted';

create sequence evidence_id;

-- Written before the act and completed after it. `await_…` says what completes it.
create table evidence (
    id               bigint primary key default nextval('evidence_id'),
    begun            timestamptz not null default now(),
    ended            timestamptz,
    who              text not null,
    act              text not null,
    account          uuid references account,
    solution         uuid,
    before           jsonb not null default '{}',
    after            jsonb,
    await_generation bigint,
    await_order      uuid,
    await_measure    uuid,
    node             text,
    serial           bigint,
    -- What an order keeps silent is not shown to the account before.
    visible_from     timestamptz not null default now(),
    constraint evidence_of_node unique (node, serial)
);
create index evidence_by_account on evidence (account, id);
create index evidence_open on evidence (solution) where ended is null;

create sequence event_id;

create table event (
    id           bigint primary key,
    at           timestamptz not null default now(),
    account      uuid references account,
    solution     uuid,
    kind         text not null,
    by           text not null check (by in ('staff', 'account', 'node', 'platform')),
    data         jsonb not null default '{}',
    visible_from timestamptz not null default now()
);
create index event_by_account on event (account, id);
create index event_by_solution on event (solution, id);

-- Answers kept so that the same request with the same key is done once. Without the secrets that were shown.
create table idempotency (
    token   uuid not null references token,
    key     text not null check (length(key) between 1 and 200),
    account uuid references account,
    digest  bytea not null,
    status  integer not null,
    etag    text,
    body    jsonb not null,
    created timestamptz not null default now(),
    constraint idempotency_taken primary key (token, key)
);
create index idempotency_by_age on idempotency (created);

-- The outbox for outside effects and for work of the platform itself, written with the change that asks for it.
create table job (
    id          bigint generated always as identity primary key,
    kind        text not null,
    subject     jsonb not null default '{}',
    due         timestamptz not null default now(),
    -- Comes again after so many seconds; none means once.
    every_s     integer,
    leased_by   uuid,
    lease_until timestamptz,
    attempts    integer not null default 0,
    last_error  text,
    done        timestamptz,
    created     timestamptz not null default now()
);
create index job_open on job (due) where done is null;
insert into job (kind, every_s) values ('sweep-idempotency', 3600), ('sweep-retention', 60), ('sweep-spool', 3600), ('sweep-jobs', 86400);

-- What a node must be sent carries the number of the transaction that changed it. A link reads what was touched since the
-- oldest transaction that was under way at its last reading, so that no commit order can hide a change.
create function touch_wish() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' or (new.generation, new.epoch, new.hold_for, new.node, new.deleted)
                         is distinct from (old.generation, old.epoch, old.hold_for, old.node, old.deleted) then
        new.touched := pg_current_xact_id()::text::bigint;
        perform pg_notify('husorden', '');
    end if;
    return new;
end $$;
create trigger touch before insert or update on solution for each row execute function touch_wish();

create function touch_order() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        new.touched := pg_current_xact_id()::text::bigint;
        perform pg_notify('husorden', '');
    end if;
    return new;
end $$;
create trigger touch before insert on verb_order for each row execute function touch_order();
create trigger touch before insert on question for each row execute function touch_order();

create function touch_measure() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' or new.revision is distinct from old.revision then
        new.touched := pg_current_xact_id()::text::bigint;
        perform pg_notify('husorden', '');
    end if;
    return new;
end $$;
create trigger touch before insert or update on measure for each row execute function touch_measure();

-- Numbers of events are given under a lock held to the commit: who has read up to a number has missed none below it.
-- Events are therefore the last thing a transaction writes.
create function number_event() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform pg_advisory_xact_lock(4812);
    new.id := nextval('event_id');
    perform pg_notify('husorden', '');
    return new;
end $$;
create trigger number before insert on event for each row execute function number_event();

-- Whoever makes a solution holds the last number to the commit. The epoch is taken with it: a creation that waited for a raised
-- epoch begins in it.
create function number_solution() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update platform set last_number = last_number + 1 returning last_number, epoch into new.number, new.epoch;
    return new;
end $$;
create trigger number before insert on solution for each row when (new.number is null) execute function number_solution();
