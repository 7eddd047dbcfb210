-- Help for who lost both phone and recovery codes. Somebody asks with the address; staff write down how they made sure who it is;
-- the member is told at once; after a delay, or when a second one of staff made sure too, a link by mail takes the lost factor
-- away. Until then the member stops it with one link, or by giving a code.
--
--   asked ──check──▶ waiting ──delay, or a second check──▶ open ──link──▶ used
--     └────────────────┴──────────────────────────────────┴──▶ stopped, expired

-- Set with the lost factor's end: nothing but enrolling anew is open until it is done.
alter table person add column must_enrol boolean not null default false;

create table rescue (
    id      uuid primary key,
    person  uuid not null references person,
    realm   text not null check (realm in ('account', 'staff')),
    state   text not null default 'asked' check (state in ('asked', 'waiting', 'open', 'used', 'stopped', 'expired')),
    -- From where it was asked.
    network text not null,
    asked   timestamptz not null default now(),
    opens   timestamptz,
    expires timestamptz not null,
    ended   timestamptz,
    constraint rescue_waiting_whole check (state not in ('waiting', 'open', 'used') or opens is not null)
);
create unique index rescue_once on rescue (person) where state in ('asked', 'waiting', 'open');
create index rescue_by_state on rescue (state, id);

-- How somebody of staff made sure who it is.
create table rescue_check (
    rescue uuid not null references rescue on delete cascade,
    -- The person of staff; each makes sure once.
    by     uuid not null,
    at     timestamptz not null default now(),
    how    text not null check (how in ('in-person', 'video', 'call-back', 'letter')),
    note   text not null check (length(note) between 10 and 1000),
    constraint rescue_checked_once primary key (rescue, by)
);

-- The secrets of links in mails; only their digests.
create table rescue_link (
    digest bytea primary key check (length(digest) = 32),
    rescue uuid not null references rescue on delete cascade,
    does   text not null check (does in ('stop', 'use'))
);

do $$
declare t text;
begin
    foreach t in array array['rescue', 'rescue_check', 'rescue_link'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format('create policy owner_all on %I to husorden_owner using (true) with check (true)', t);
    end loop;
end $$;
create policy staff_see on rescue for select to husorden_staff using (true);
-- The desk brings a rescue no further than to its waiting.
create policy staff_wait on rescue for update to husorden_staff using (state in ('asked', 'waiting')) with check (state = 'waiting');
create policy staff_see on rescue_check for select to husorden_staff using (true);
create policy staff_add on rescue_check for insert to husorden_staff with check (true);
create policy staff_add on rescue_link for insert to husorden_staff with check (does = 'stop');
grant select, update (state, opens, expires) on rescue to husorden_staff;
grant select, insert on rescue_check to husorden_staff;
grant insert on rescue_link to husorden_staff;

create view rescue_view with (security_invoker = true) as
select r.id, r.person, p.email, p.name, p.language, r.realm, r.state, r.network, r.asked, r.opens, r.expires, r.ended,
       (select coalesce(jsonb_agg(jsonb_build_object('account', m.account, 'name', a.name, 'role', m.role) order by a.name), '[]')
          from member m join account a on a.id = m.account where m.person = r.person) as accounts,
       (select coalesce(jsonb_agg(jsonb_build_object('by', c.by, 'name', s.name, 'at', c.at, 'how', c.how, 'note', c.note) order by c.at), '[]')
          from rescue_check c left join person s on s.id = c.by where c.rescue = r.id) as checks
from rescue r join person p on p.id = r.person;
grant select on rescue_view to husorden_staff;

-- A step of a rescue as evidence: a line in each account of the person, so that their owners see it, or one of the house's own.
create function rescue_note(p_who text, p_act text, p_person uuid, p_before jsonb) returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into evidence (ended, who, act, account, before, after)
        select now(), p_who, p_act, a.account, jsonb_build_object('person', p_person) || p_before, '{}'
        from (select account from member where person = p_person
              union all select null where not exists (select from member where person = p_person)) a
$$;
grant execute on function rescue_note(text, text, uuid, jsonb) to husorden_staff;

-- Notes a wish for help, if somebody of the realm has the mailbox and a second factor, and no help is under way.
create function rescue_ask(p_id uuid, p_email text, p_realm text, p_stop bytea, p_network text, p_expires timestamptz) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare p person;
begin
    select * into p from person where email = p_email and disabled is null and second_factor
        and case when p_realm = 'staff' then exists (select from staff s where s.person = person.id)
                 else exists (select from member m where m.person = person.id) end;
    if not found then return null; end if;
    insert into rescue (id, person, realm, network, expires) values (p_id, p.id, p_realm, p_network, p_expires)
        on conflict (person) where state in ('asked', 'waiting', 'open') do nothing;
    if not found then return null; end if;
    insert into rescue_link (digest, rescue, does) values (p_stop, p_id, 'stop');
    perform rescue_note('mailbox', 'rescue.ask', p.id, jsonb_build_object('rescue', p_id, 'realm', p_realm, 'network', p_network));
    return jsonb_build_object('id', p.id, 'email', p.email, 'name', p.name, 'language', p.language);
end $$;

-- Ends what is under way for a person. True: there was something.
create function rescue_stop(p_person uuid, p_who text, p_how text) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare r rescue;
begin
    update rescue set state = 'stopped', ended = now() where person = p_person and state in ('asked', 'waiting', 'open') returning * into r;
    if not found then return false; end if;
    perform rescue_note(p_who, 'rescue.stop', p_person, jsonb_build_object('rescue', r.id, 'how', p_how));
    return true;
end $$;

-- The link in every mail about a rescue. Null: it stops nothing any more.
create function rescue_stop_link(p_digest bytea) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare who uuid;
begin
    select r.person into who from rescue_link l join rescue r on r.id = l.rescue
        where l.digest = p_digest and l.does = 'stop' and r.state in ('asked', 'waiting', 'open');
    if not found or not rescue_stop(who, 'mailbox', 'link') then return null; end if;
    return (select jsonb_build_object('id', id, 'email', email, 'name', name, 'language', language) from person where id = who);
end $$;

-- The delay is over. Null: it was stopped, or is not over.
create function rescue_open(p_id uuid, p_digest bytea, p_expires timestamptz) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare r rescue;
begin
    update rescue set state = 'open', expires = p_expires where id = p_id and state = 'waiting' and opens <= now() returning * into r;
    if not found then return null; end if;
    insert into rescue_link (digest, rescue, does) values (p_digest, r.id, 'use');
    perform rescue_note('platform', 'rescue.open', r.person, jsonb_build_object('rescue', r.id));
    return (select jsonb_build_object('id', p.id, 'email', p.email, 'name', p.name, 'language', p.language, 'realm', r.realm)
              from person p where p.id = r.person);
end $$;

-- Takes the lost factor away, once. The person's row is the lock: a code that is given at the same moment wins or loses whole.
create function rescue_use(p_digest bytea) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    r rescue;
    p person;
begin
    select x.* into r from rescue_link l join rescue x on x.id = l.rescue
        where l.digest = p_digest and l.does = 'use' and x.state = 'open' and x.expires > now();
    if not found then return null; end if;
    select * into p from person where id = r.person and disabled is null for update;
    if not found then return null; end if;
    update rescue set state = 'used', ended = now() where id = r.id and state = 'open';
    if not found then return null; end if;
    update person set totp = null, totp_pending = null, must_enrol = true where id = p.id;
    delete from recovery_code where person = p.id;
    perform session_end(p.id, null, null, 'second-factor');
    perform rescue_note('mailbox', 'rescue.use', p.id, jsonb_build_object('rescue', r.id));
    return jsonb_build_object('id', p.id, 'email', p.email, 'name', p.name, 'language', p.language, 'realm', r.realm);
end $$;

-- Whoever gives a code has what was said to be lost.
create or replace function totp_use(p_person uuid, p_step bigint) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update person set totp_step = p_step where id = p_person and totp_step < p_step;
    if not found then return false; end if;
    perform rescue_stop(p_person, 'mailbox', 'log-in');
    return true;
end $$;

create or replace function recovery_use(p_person uuid, p_digest bytea) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update recovery_code set used = now() where person = p_person and digest = p_digest and used is null;
    if not found then return false; end if;
    perform rescue_stop(p_person, 'mailbox', 'log-in');
    return true;
end $$;

create or replace function totp_confirm(p_person uuid, p_sealed bytea, p_step bigint) returns boolean
language sql security definer set search_path = public, pg_temp as $$
    with u as (update person set totp = totp_pending, totp_pending = null, totp_step = p_step, must_enrol = false
               where id = p_person and totp_pending = p_sealed returning 1)
    select exists (select from u)
$$;

create or replace function login_find(p_email text, p_realm text, p_device bytea) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object(
        'id', p.id, 'email', p.email, 'name', p.name, 'language', p.language, 'password', p.password, 'disabled', p.disabled is not null,
        'second_factor', p.second_factor,
        'device', (select d.id from device d where d.person = p.id and d.digest = p_device),
        'staff', exists (select from staff s where s.person = p.id),
        'account', a.id, 'role', a.role,
        'required', p_realm = 'staff' or p.must_enrol or coalesce(a.two_factor_required, false))
    from person p
    left join lateral (
        select a.id, m.role, a.two_factor_required from member m join account a on a.id = m.account
        where m.person = p.id
        order by (select max(s.begun) from session s where s.person = p.id and s.account = a.id) desc nulls last, a.name limit 1) a on true
    where p.email = p_email
$$;

create or replace function session_find(p_digest bytea) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object(
        'session', to_jsonb(s) - 'digest',
        'person', jsonb_build_object('id', p.id, 'email', p.email, 'name', p.name, 'language', p.language, 'time_zone', p.time_zone,
                                     'second_factor', p.second_factor),
        'account', case when m.role is not null then to_jsonb(a) end,
        'role', m.role,
        'staff_roles', case when s.realm = 'staff' then to_jsonb(f.roles) end,
        'required', s.realm = 'staff' or p.must_enrol or coalesce(a.two_factor_required, false),
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

create or replace function sweep_identity() returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare r rescue;
begin
    delete from throttle where at < now() - interval '1 day';
    delete from session where coalesce(ended, least(ends, seen + make_interval(secs => idle_s))) < now() - interval '30 days';
    delete from password_reset where expires < now() - interval '1 day';
    delete from invitation where coalesce(accepted, withdrawn, expires) < now() - interval '30 days';
    delete from device where last_seen < now() - interval '400 days';
    for r in update rescue set state = 'expired', ended = now() where state in ('asked', 'open') and expires < now() returning * loop
        perform rescue_note('platform', 'rescue.expire', r.person, jsonb_build_object('rescue', r.id));
    end loop;
    delete from rescue where ended < now() - interval '30 days';
end $$;

grant execute on function rescue_ask(uuid, text, text, bytea, text, timestamptz), rescue_stop_link(bytea), rescue_open(uuid, bytea, timestamptz),
    rescue_use(bytea) to husorden_system;
