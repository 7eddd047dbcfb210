-- Persons, members, staff, sessions, invitations and resets. Who knocks belongs to no account yet, so all of log-in goes
-- through named functions of the system door; members and invitations are rows of an account like any other.

-- The account holder is who the agreement is with; none until it was told.
alter table account
    add column holder jsonb,
    add column two_factor_required boolean not null default false;

create table person (
    id            uuid primary key,
    -- In lower case, its domain in A-labels: one mailbox is one person.
    email         text not null constraint person_email_taken unique check (length(email) between 3 and 254 and email = lower(email)),
    name          text not null check (length(name) between 1 and 80),
    language      text not null check (language in ('da', 'en')),
    time_zone     text not null default 'Europe/Copenhagen' check (length(time_zone) between 1 and 64),
    -- An Argon2id hash with its parameters.
    password      text not null,
    -- Secrets of one-time codes, sealed with a key that the database does not have; the pending one is not confirmed yet.
    totp          bytea,
    totp_pending  bytea,
    -- The newest time step whose code was accepted: neither it nor an older one is accepted again.
    totp_step     bigint not null default 0,
    second_factor boolean generated always as (totp is not null) stored,
    disabled      timestamptz,
    created       timestamptz not null default now()
);

create table recovery_code (
    person uuid not null references person,
    digest bytea not null check (length(digest) = 32),
    used   timestamptz,
    primary key (person, digest)
);

create table member (
    account uuid not null references account,
    person  uuid not null references person,
    role    text not null check (role in ('owner', 'admin', 'technical', 'billing', 'read-only')),
    since   timestamptz not null default now(),
    constraint member_taken primary key (account, person)
);
create index member_by_person on member (person);

create table staff (
    person uuid primary key references person,
    roles  text[] not null check (cardinality(roles) > 0 and roles <@ array['support', 'abuse', 'operations', 'finance', 'auditor']),
    since  timestamptz not null default now()
);

-- To an account with a role, or to staff with roles.
create table invitation (
    id          uuid primary key,
    account     uuid references account,
    role        text check (role in ('owner', 'admin', 'technical', 'billing', 'read-only')),
    staff_roles text[] check (cardinality(staff_roles) > 0 and staff_roles <@ array['support', 'abuse', 'operations', 'finance', 'auditor']),
    email       text not null check (length(email) between 3 and 254 and email = lower(email)),
    language    text not null check (language in ('da', 'en')),
    digest      bytea not null unique check (length(digest) = 32),
    created     timestamptz not null default now(),
    expires     timestamptz not null,
    accepted    timestamptz,
    withdrawn   timestamptz,
    constraint invitation_target_fits check ((account is null) = (role is null) and (account is null) <> (staff_roles is null))
);
create unique index invitation_open on invitation (account, email) nulls not distinct where accepted is null and withdrawn is null;

create table password_reset (
    digest  bytea primary key check (length(digest) = 32),
    person  uuid not null references person,
    created timestamptz not null default now(),
    expires timestamptz not null,
    ended   timestamptz
);
create index password_reset_open on password_reset (person) where ended is null;

-- A device that has logged in. It proves nothing but that, and has its own allowance of tries.
create table device (
    id         uuid primary key,
    person     uuid not null references person,
    digest     bytea not null unique check (length(digest) = 32),
    agent      text not null,
    first_seen timestamptz not null default now(),
    last_seen  timestamptz not null default now()
);
create index device_by_person on device (person);

-- Only the digest of a session's secret is kept. What a session may is decided in one place, identity/session.rs.
create table session (
    id            uuid primary key,
    digest        bytea not null unique check (length(digest) = 32),
    person        uuid not null references person,
    realm         text not null check (realm in ('account', 'staff')),
    account       uuid references account,
    begun         timestamptz not null,
    seen          timestamptz not null,
    idle_s        integer not null check (idle_s > 0),
    ends          timestamptz not null,
    second_factor timestamptz,
    stepped_up    timestamptz,
    -- Wrong codes and passwords given within the session.
    tries         integer not null default 0,
    device        uuid references device on delete set null,
    address       text not null,
    agent         text not null,
    ended         timestamptz,
    ended_why     text,
    constraint session_realm_fits check ((realm = 'account') = (account is not null))
);
create index session_open on session (person) where ended is null;

-- Allowances of tries. Keys are digests: what was typed as an e-mail address may have been a password.
create unlogged table throttle (
    key   bytea primary key check (length(key) = 32),
    level double precision not null,
    at    timestamptz not null
);

insert into job (kind, every_s) values ('sweep-identity', 3600);

do $$
declare t text;
begin
    foreach t in array array['person', 'recovery_code', 'member', 'staff', 'invitation', 'password_reset', 'device', 'session', 'throttle'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format('create policy owner_all on %I to husorden_owner using (true) with check (true)', t);
    end loop;
end $$;

-- tenant ---------------------------------------------------------------------------------------------------------------
create policy tenant_own on member     to husorden_tenant using (account = bound_account()) with check (account = bound_account());
create policy tenant_own on invitation to husorden_tenant using (account = bound_account()) with check (account = bound_account());
create policy tenant_see on person     for select to husorden_tenant
    using (exists (select from member m where m.person = person.id and m.account = bound_account()));
create policy tenant_change on account for update to husorden_tenant using (id = bound_account()) with check (id = bound_account());
grant select (id, email, name, language, second_factor, disabled, created) on person to husorden_tenant;
grant select, update (role), delete on member to husorden_tenant;
grant select (id, account, role, staff_roles, email, language, created, expires, accepted, withdrawn), insert, update (withdrawn) on invitation to husorden_tenant;
grant update (name, language, holder, two_factor_required) on account to husorden_tenant;

-- staff ----------------------------------------------------------------------------------------------------------------
create policy staff_see on person        for select to husorden_staff using (true);
create policy staff_see on member        for select to husorden_staff using (true);
create policy staff_all on staff         to husorden_staff using (true) with check (true);
create policy staff_see on invitation    for select to husorden_staff using (true);
create policy staff_add on invitation    for insert to husorden_staff with check (true);
create policy staff_change on invitation for update to husorden_staff using (true) with check (true);
create policy staff_change on account    for update to husorden_staff using (true) with check (true);
grant select (id, email, name, language, second_factor, disabled, created) on person to husorden_staff;
grant select on member to husorden_staff;
grant select, update (roles), delete on staff to husorden_staff;
grant select (id, account, role, staff_roles, email, language, created, expires, accepted, withdrawn), insert, update (withdrawn) on invitation to husorden_staff;
grant update (name, language, holder, two_factor_required) on account to husorden_staff;

-- Both doors ask for a mail this way: the templates are those of invitations, and nothing else can be sent.
create function invitation_mail(p_invitation uuid, p_subject jsonb) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if not exists (select from invitation i where i.id = p_invitation and i.accepted is null and i.withdrawn is null
                    and i.email = p_subject->>'to' and (bound_account() is null or i.account = bound_account())) then
        raise exception 'there is no such invitation';
    end if;
    insert into job (kind, subject) values ('mail', p_subject || '{"template": "invitation"}');
end $$;
grant execute on function invitation_mail(uuid, jsonb) to husorden_tenant, husorden_staff;

-- Whether a mailbox belongs to somebody of the account already.
create view member_view with (security_invoker = true) as
select m.account, m.person, m.role, m.since, p.email, p.name, p.language, p.second_factor, p.disabled
from member m join person p on p.id = m.person;
create view staff_view with (security_invoker = true) as
select s.person, s.roles, s.since, p.email, p.name, p.language, p.second_factor, p.disabled
from staff s join person p on p.id = s.person;
grant select on member_view to husorden_tenant, husorden_staff;
grant select on staff_view to husorden_staff;

-- An account always has an owner who can log in, once it has had one. The lock makes two changes take their turns: the
-- later one sees what the earlier one left.
create function keep_an_owner() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if old.role = 'owner' and (tg_op = 'DELETE' or new.role <> 'owner') then
        perform pg_advisory_xact_lock(4815, hashtext(old.account::text));
        if not exists (select from member m join person p on p.id = m.person
                        where m.account = old.account and m.role = 'owner' and m.person <> old.person and p.disabled is null) then
            raise exception 'the account would have no owner' using errcode = 'check_violation', constraint = 'account_without_owner';
        end if;
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $$;
create trigger keep_an_owner before update of role or delete on member for each row execute function keep_an_owner();

-- Whose rights change begins again: the secret of a session never outlives the rights it was given with.
create function end_sessions_of_role() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if tg_op = 'UPDATE' and to_jsonb(new) = to_jsonb(old) then return null; end if;
    if tg_table_name = 'staff' then
        update session set ended = now(), ended_why = 'role' where person = old.person and realm = 'staff' and ended is null;
    else
        update session set ended = now(), ended_why = 'role'
            where person = old.person and account = (to_jsonb(old)->>'account')::uuid and ended is null;
    end if;
    perform pg_notify('husorden', '');
    return null;
end $$;
create trigger end_sessions after update or delete on member for each row execute function end_sessions_of_role();
create trigger end_sessions after update or delete on staff for each row execute function end_sessions_of_role();
grant execute on function keep_an_owner(), end_sessions_of_role() to husorden_tenant, husorden_staff;

-- system ---------------------------------------------------------------------------------------------------------------
-- Takes one of an allowance; the answer is after how many seconds there is one, and zero when it was taken.
create function throttle_take(p_key bytea, p_burst double precision, p_per_s double precision) returns double precision
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    filled double precision;
    now_is timestamptz;
begin
    insert into throttle (key, level, at) values (p_key, p_burst, clock_timestamp()) on conflict do nothing;
    select level, at into filled, now_is from throttle where key = p_key for update;
    filled := least(p_burst, filled + greatest(0, extract(epoch from clock_timestamp() - now_is)) * p_per_s);
    update throttle set level = filled - (filled >= 1)::int, at = clock_timestamp() where key = p_key;
    return case when filled >= 1 then 0 else (1 - filled) / p_per_s end;
end $$;

-- Who did right gets back what the try took.
create function throttle_give(p_keys bytea[]) returns void
language sql security definer set search_path = public, pg_temp as $$
    update throttle set level = level + 1 where key = any(p_keys)
$$;

create function evidence_add(p_who text, p_act text, p_account uuid, p_before jsonb) returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into evidence (ended, who, act, account, before, after) values (now(), p_who, p_act, p_account, p_before, '{}')
$$;

create function mail_add(p_subject jsonb) returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into job (kind, subject) values ('mail', p_subject)
$$;

-- What log-in needs to know of whoever has this mailbox; the account is where the person stood last, else the first by name.
create function login_find(p_email text, p_realm text, p_device bytea) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object(
        'id', p.id, 'email', p.email, 'name', p.name, 'language', p.language, 'password', p.password, 'disabled', p.disabled is not null,
        'second_factor', p.second_factor,
        'device', (select d.id from device d where d.person = p.id and d.digest = p_device),
        'staff', exists (select from staff s where s.person = p.id),
        'account', a.id, 'role', a.role,
        'required', case when p_realm = 'staff' then true else coalesce(a.two_factor_required, false) end)
    from person p
    left join lateral (
        select a.id, m.role, a.two_factor_required from member m join account a on a.id = m.account
        where m.person = p.id
        order by (select max(s.begun) from session s where s.person = p.id and s.account = a.id) desc nulls last, a.name limit 1) a on true
    where p.email = p_email
$$;

create function session_insert(p jsonb) returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into session (id, digest, person, realm, account, begun, seen, idle_s, ends, second_factor, stepped_up, device, address, agent)
    values ((p->>'id')::uuid, decode(p->>'digest', 'hex'), (p->>'person')::uuid, p->>'realm', (p->>'account')::uuid,
            (p->>'begun')::timestamptz, (p->>'seen')::timestamptz, (p->>'idle_s')::int, (p->>'ends')::timestamptz,
            (p->>'second_factor')::timestamptz, (p->>'stepped_up')::timestamptz,
            (select d.id from device d where d.id = (p->>'device')::uuid and d.person = (p->>'person')::uuid), p->>'address', p->>'agent')
$$;

-- The session behind a secret, with all that decides what it may: nothing of it is remembered between two requests.
create function session_find(p_digest bytea) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object(
        'session', to_jsonb(s) - 'digest',
        'person', jsonb_build_object('id', p.id, 'email', p.email, 'name', p.name, 'language', p.language, 'time_zone', p.time_zone,
                                     'second_factor', p.second_factor),
        'account', case when m.role is not null then to_jsonb(a) end,
        'role', m.role,
        'staff_roles', case when s.realm = 'staff' then to_jsonb(f.roles) end,
        'required', s.realm = 'staff' or coalesce(a.two_factor_required, false),
        'held', case when s.realm = 'account' then (select to_jsonb(x) from measure x
                  where x.account = s.account and x.solution is null and x.access <> 'full'
                    and x.lifted is null and x.starts <= now() and (x.ends is null or x.ends > now())
                  order by array_position(array['none', 'decision', 'data-out'], x.access), x.starts limit 1) end,
        'now', now())
    from session s
    join person p on p.id = s.person and p.disabled is null
    left join account a on a.id = s.account
    left join member m on m.account = s.account and m.person = s.person
    left join staff f on f.person = s.person and s.realm = 'staff'
    where s.digest = p_digest and s.ended is null and (m.role is not null or f.roles is not null)
$$;

create function session_touch(p_session uuid) returns void
language sql security definer set search_path = public, pg_temp as $$
    update session set seen = now() where id = p_session and ended is null
$$;

-- Gives a session a new secret and what it has earned. False: somebody was faster, and the old secret opens nothing.
create function session_rotate(p_old bytea, p_new bytea, p jsonb) returns boolean
language sql security definer set search_path = public, pg_temp as $$
    with u as (
        update session set digest = p_new, seen = now(), tries = 0,
            second_factor = coalesce((p->>'second_factor')::timestamptz, second_factor),
            stepped_up = case when p ? 'stepped_up' then (p->>'stepped_up')::timestamptz else stepped_up end,
            ends = coalesce((p->>'ends')::timestamptz, ends),
            idle_s = coalesce((p->>'idle_s')::int, idle_s),
            device = coalesce((p->>'device')::uuid, device),
            account = coalesce((p->>'account')::uuid, account)
        where digest = p_old and ended is null returning 1)
    select exists (select from u)
$$;

-- A wrong code within a session; the answer is how many there were.
create function session_tried(p_session uuid) returns integer
language sql security definer set search_path = public, pg_temp as $$
    update session set tries = tries + 1 where id = p_session returning tries
$$;

-- Ends one session of a person, or all but one, or all. The answer is how many ended.
create function session_end(p_person uuid, p_session uuid, p_except uuid, p_why text) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare count integer;
begin
    update session set ended = now(), ended_why = p_why
        where person = p_person and ended is null and (p_session is null or id = p_session) and (p_except is null or id <> p_except);
    get diagnostics count = row_count;
    -- Streams of other controls look again.
    perform pg_notify('husorden', '');
    return count;
end $$;

-- Whether what a stream was opened with still opens anything.
create function session_holds(p_session uuid) returns boolean
language sql stable security definer set search_path = public, pg_temp as $$
    select exists (select from session s join person p on p.id = s.person and p.disabled is null
                    where s.id = p_session and s.ended is null and s.ends > now() and s.seen + make_interval(secs => s.idle_s) > now())
$$;

create function session_list(p_person uuid) returns setof jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select to_jsonb(s) - 'digest' || jsonb_build_object('account_name', (select name from account where id = s.account))
    from session s where person = p_person and ended is null and ends > now() and seen + make_interval(secs => idle_s) > now()
    order by seen desc limit 200
$$;

-- The accounts a person may stand in.
create function person_accounts(p_person uuid) returns setof jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('id', a.id, 'name', a.name, 'role', m.role)
    from member m join account a on a.id = m.account where m.person = p_person order by a.name
$$;

create function person_change(p_person uuid, p_name text, p_language text, p_time_zone text) returns void
language sql security definer set search_path = public, pg_temp as $$
    update person set name = coalesce(p_name, name), language = coalesce(p_language, language), time_zone = coalesce(p_time_zone, time_zone)
    where id = p_person
$$;

-- What the person's own proofs are checked against.
create function person_proofs(p_person uuid) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('password', password, 'totp', encode(totp, 'hex'), 'totp_pending', encode(totp_pending, 'hex'), 'totp_step', totp_step)
    from person where id = p_person
$$;

-- A new password, if the old one is still what it was checked against. All pending resets end.
create function person_password(p_person uuid, p_was text, p_hash text) returns boolean
language sql security definer set search_path = public, pg_temp as $$
    with u as (update person set password = p_hash where id = p_person and password = p_was returning id),
         r as (update password_reset set ended = now() where person in (select id from u) and ended is null)
    select exists (select from u)
$$;

-- A time step is accepted once.
create function totp_use(p_person uuid, p_step bigint) returns boolean
language sql security definer set search_path = public, pg_temp as $$
    with u as (update person set totp_step = p_step where id = p_person and totp_step < p_step returning 1) select exists (select from u)
$$;

create function recovery_use(p_person uuid, p_digest bytea) returns boolean
language sql security definer set search_path = public, pg_temp as $$
    with u as (update recovery_code set used = now() where person = p_person and digest = p_digest and used is null returning 1)
    select exists (select from u)
$$;

create function recovery_left(p_person uuid) returns bigint
language sql stable security definer set search_path = public, pg_temp as $$
    select count(*) from recovery_code where person = p_person and used is null
$$;

create function recovery_replace(p_person uuid, p_digests bytea[]) returns void
language sql security definer set search_path = public, pg_temp as $$
    delete from recovery_code where person = p_person;
    insert into recovery_code (person, digest) select p_person, unnest(p_digests);
$$;

create function totp_begin(p_person uuid, p_sealed bytea) returns void
language sql security definer set search_path = public, pg_temp as $$
    update person set totp_pending = p_sealed where id = p_person
$$;

-- The pending secret becomes the secret, if it is still the one that was checked.
create function totp_confirm(p_person uuid, p_sealed bytea, p_step bigint) returns boolean
language sql security definer set search_path = public, pg_temp as $$
    with u as (update person set totp = totp_pending, totp_pending = null, totp_step = p_step
               where id = p_person and totp_pending = p_sealed returning 1)
    select exists (select from u)
$$;

create function totp_remove(p_person uuid) returns void
language sql security definer set search_path = public, pg_temp as $$
    update person set totp = null, totp_pending = null where id = p_person;
    delete from recovery_code where person = p_person;
$$;

-- True: the device is new to this person, who is told of it.
create function device_seen(p_id uuid, p_person uuid, p_digest bytea, p_agent text) returns boolean
language sql security definer set search_path = public, pg_temp as $$
    with u as (insert into device (id, person, digest, agent) values (p_id, p_person, p_digest, p_agent)
               on conflict (digest) do update set last_seen = now() returning (xmax = 0) as fresh)
    select fresh from u
$$;

create function reset_begin(p_email text, p_realm text, p_digest bytea, p_expires timestamptz) returns jsonb
language sql security definer set search_path = public, pg_temp as $$
    with p as (select p.id, p.email, p.name, p.language, p.second_factor from person p where p.email = p_email and p.disabled is null
                and (case when p_realm = 'staff' then exists (select from staff s where s.person = p.id)
                                                 else exists (select from member m where m.person = p.id) end)),
         i as (insert into password_reset (digest, person, expires) select p_digest, id, p_expires from p)
    select to_jsonb(p) from p
$$;

create function reset_find(p_digest bytea) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('id', p.id, 'email', p.email, 'name', p.name, 'language', p.language, 'second_factor', p.second_factor)
    from password_reset r join person p on p.id = r.person and p.disabled is null
    where r.digest = p_digest and r.ended is null and r.expires > now()
$$;

-- Of two resets one wins: it ends all others of the person, and every session. The person's row is the lock.
create function reset_use(p_digest bytea, p_hash text) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare who uuid;
begin
    select person into who from password_reset where digest = p_digest;
    perform 1 from person where id = who and disabled is null for update;
    if not found then return false; end if;
    perform 1 from password_reset where digest = p_digest and ended is null and expires > now();
    if not found then return false; end if;
    update password_reset set ended = now() where person = who and ended is null;
    update person set password = p_hash where id = who;
    perform session_end(who, null, null, 'password');
    return true;
end $$;

create function invitation_look(p_digest bytea) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('id', i.id, 'account', i.account, 'account_name', a.name, 'role', i.role, 'staff_roles', to_jsonb(i.staff_roles),
                              'email', i.email, 'language', i.language,
                              'known', exists (select from person p where p.email = i.email))
    from invitation i left join account a on a.id = i.account
    where i.digest = p_digest and i.accepted is null and i.withdrawn is null and i.expires > now()
$$;

-- Takes an invitation up, for the person who has its mailbox or for the new one described. Null: it is not open any more,
-- or nobody has the mailbox and no new person was described.
create function invitation_accept(p_digest bytea, p_person uuid, p_name text, p_language text, p_hash text) returns uuid
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    i invitation;
    who uuid;
begin
    select * into i from invitation where digest = p_digest and accepted is null and withdrawn is null and expires > now() for update;
    if not found then return null; end if;
    if p_hash is not null then
        insert into person (id, email, name, language, password) values (p_person, i.email, p_name, p_language, p_hash)
            on conflict (email) do nothing;
    end if;
    select id into who from person where email = i.email and disabled is null;
    if not found then return null; end if;
    update invitation set accepted = now() where id = i.id;
    if i.account is not null then
        insert into member (account, person, role) values (i.account, who, i.role) on conflict do nothing;
    else
        insert into staff (person, roles) values (who, i.staff_roles) on conflict do nothing;
    end if;
    return who;
end $$;

create function sweep_identity() returns void
language sql security definer set search_path = public, pg_temp as $$
    delete from throttle where at < now() - interval '1 day';
    delete from session where coalesce(ended, least(ends, seen + make_interval(secs => idle_s))) < now() - interval '30 days';
    delete from password_reset where expires < now() - interval '1 day';
    delete from invitation where coalesce(accepted, withdrawn, expires) < now() - interval '30 days';
    delete from device where last_seen < now() - interval '400 days';
$$;

grant execute on function throttle_take(bytea, double precision, double precision), throttle_give(bytea[]), evidence_add(text, text, uuid, jsonb),
    mail_add(jsonb), login_find(text, text, bytea), session_insert(jsonb), session_find(bytea), session_touch(uuid),
    session_rotate(bytea, bytea, jsonb), session_holds(uuid), session_tried(uuid), session_end(uuid, uuid, uuid, text), session_list(uuid),
    person_accounts(uuid), person_change(uuid, text, text, text), person_proofs(uuid), person_password(uuid, text, text),
    totp_use(uuid, bigint), recovery_use(uuid, bytea), recovery_left(uuid), recovery_replace(uuid, bytea[]), totp_begin(uuid, bytea),
    totp_confirm(uuid, bytea, bigint), totp_remove(uuid), device_seen(uuid, uuid, bytea, text),
    reset_begin(text, text, bytea, timestamptz), reset_find(bytea), reset_use(bytea, text), invitation_look(bytea),
    invitation_accept(bytea, uuid, text, text, text), sweep_identity() to husorden_system;
