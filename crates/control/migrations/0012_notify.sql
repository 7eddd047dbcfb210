-- Notifications: a lane of their own for what leaves the house, and what operators look at.

-- Given up; it stays for whoever looks after the house, and is tried no more.
alter table job add column dead timestamptz;
drop index job_open;
create index job_open on job (due) where done is null and dead is null;

create function is_outside(p_kind text) returns boolean language sql immutable as $$
    select p_kind in ('mail', 'webhook')
$$;

-- The platform's own work. A mail server that sleeps delays none of it.
create or replace function job_claim(p_worker uuid, p_lease_s integer, p_limit integer) returns setof jsonb
language sql security definer set search_path = public, pg_temp as $$
    update job set leased_by = p_worker, lease_until = now() + make_interval(secs => p_lease_s), attempts = attempts + 1
    where id in (select id from job
                 where done is null and dead is null and not is_outside(kind) and due <= now() and (lease_until is null or lease_until < now())
                 order by due, id limit p_limit for update skip locked)
    returning jsonb_build_object('id', id, 'kind', kind, 'subject', subject, 'attempts', attempts)
$$;

-- Only what there is a way for: what is held waits.
create function job_claim_outside(p_worker uuid, p_lease_s integer, p_limit integer, p_kinds text[]) returns setof jsonb
language sql security definer set search_path = public, pg_temp as $$
    update job set leased_by = p_worker, lease_until = now() + make_interval(secs => p_lease_s), attempts = attempts + 1
    where id in (select id from job
                 where done is null and dead is null and is_outside(kind) and kind = any (p_kinds) and due <= now()
                   and (lease_until is null or lease_until < now())
                 order by due, id limit p_limit for update skip locked)
    returning jsonb_build_object('id', id, 'kind', kind, 'subject', subject, 'attempts', attempts)
$$;

-- What was sent is forgotten but for its kind: a mail's data is about a person, and its link held a secret.
create function outside_done(p_id bigint, p_worker uuid) returns boolean
language sql security definer set search_path = public, pg_temp as $$
    with u as (update job set leased_by = null, lease_until = null, last_error = null, done = now(),
                   subject = subject - 'data' - 'sealed' - 'to'
               where id = p_id and leased_by = p_worker returning 1)
    select exists (select from u)
$$;

-- True: it was given up, and staff are told. The event names no mailbox.
create function outside_failed(p_id bigint, p_worker uuid, p_error text, p_retry_s integer, p_give_up_s integer) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare j job;
begin
    update job set leased_by = null, lease_until = null, last_error = left(p_error, 2000),
        due = now() + make_interval(secs => p_retry_s),
        dead = case when created + make_interval(secs => p_give_up_s) <= now() then now() end
    where id = p_id and leased_by = p_worker returning * into j;
    if not found or j.dead is null then return false; end if;
    update job set subject = subject - 'sealed' where id = j.id;
    insert into event (kind, by, data)
        values (j.kind || '.dead', 'platform', jsonb_build_object('job', j.id, 'template', j.subject->>'template', 'why', left(p_error, 200)));
    return true;
end $$;

create or replace function sweep_jobs() returns bigint
language sql security definer set search_path = public, pg_temp as $$
    with d as (delete from job where done < now() - interval '7 days' or dead < now() - interval '30 days' returning 1) select count(*) from d
$$;

-- What is counted in the database, for /metrics and the page of the house's health. No names but those of nodes and of work.
create function house_look() returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object(
        'at', now(),
        'jobs', (select coalesce(jsonb_agg(j), '[]') from (
            select kind, count(*) filter (where done is null and dead is null) as open,
                   count(*) filter (where done is null and dead is null and due < now() - interval '1 minute') as late,
                   count(*) filter (where dead is not null) as dead,
                   coalesce(extract(epoch from now() - min(due) filter (where done is null and dead is null and due < now())), 0)::float8 as oldest_s
            from job group by kind order by kind) j),
        'nodes', (select coalesce(jsonb_agg(n), '[]') from (
            select name, connected, extract(epoch from now() - heard)::float8 as silent_s from node order by name) n),
        'solutions', (select coalesce(jsonb_agg(s), '[]') from (
            select kind, coalesce(seen_state, 'unseen') as state, count(*) as count from solution where deleted is null group by 1, 2 order by 1, 2) s),
        'measures_not_in_force', (select count(*) from measure_node n join measure m on m.id = n.measure
            where n.state in ('ordered', 'kept') and m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now())),
        'measures_standing', (select count(*) from measure m
            where m.lifted is null and m.starts <= now() and (m.ends is null or m.ends > now())),
        'evidence_open', (select count(*) from evidence where ended is null and begun < now() - interval '5 minutes'),
        'checkpoint_s', (select extract(epoch from now() - max(at))::float8 from evidence_checkpoint),
        'database_bytes', pg_database_size(current_database()),
        'database_version', current_setting('server_version'))
$$;

grant execute on function job_claim_outside(uuid, integer, integer, text[]), outside_done(bigint, uuid),
    outside_failed(bigint, uuid, text, integer, integer), house_look() to husorden_system;

-- Webhooks --------------------------------------------------------------------------------------------------------------
-- Their secrets are made of a key that the database does not have; `turn` counts them.
create table webhook (
    id      uuid primary key,
    account uuid not null references account,
    label   text not null check (length(label) between 1 and 100),
    url     text not null check (length(url) <= 2048),
    -- Kinds of events, or `noun.*`; none means all.
    events  text[] not null default '{}',
    enabled boolean not null default true,
    turn    integer not null default 1,
    created timestamptz not null default now()
);
create index webhook_by_account on webhook (account);

create table webhook_delivery (
    id      uuid primary key,
    webhook uuid not null references webhook on delete cascade,
    account uuid not null references account,
    -- None: a test.
    event   bigint,
    kind    text not null,
    state   text not null default 'waiting' check (state in ('waiting', 'delivered', 'dead')),
    tries   integer not null default 0,
    status  integer,
    error   text,
    created timestamptz not null default now(),
    tried   timestamptz
);
create index webhook_delivery_by_webhook on webhook_delivery (webhook, id);

do $$
declare t text;
begin
    foreach t in array array['webhook', 'webhook_delivery'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format('create policy owner_all on %I to husorden_owner using (true) with check (true)', t);
    end loop;
end $$;
create policy tenant_own on webhook          to husorden_tenant using (account = bound_account()) with check (account = bound_account());
create policy tenant_see on webhook_delivery for select to husorden_tenant using (account = bound_account());
grant select, insert, update, delete on webhook to husorden_tenant;
grant select on webhook_delivery to husorden_tenant;

-- An id whose order is that of its making, as uuid v7 is: deliveries are listed by it.
create function ordered_id() returns uuid language sql volatile as $$
    select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || substr(md5(gen_random_uuid()::text), 1, 3)
            || '8' || substr(md5(gen_random_uuid()::text), 1, 15))::uuid
$$;

-- Every event of an account is told to the webhooks that want it, once the account may know of it. What webhooks do is not
-- told to webhooks.
create function fan_out() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if new.account is null or new.kind like 'webhook.%' then return null; end if;
    with d as (
        insert into webhook_delivery (id, webhook, account, event, kind)
            select ordered_id(), w.id, w.account, new.id, new.kind from webhook w
             where w.account = new.account and w.enabled
               and (w.events = '{}' or new.kind = any (w.events) or split_part(new.kind, '.', 1) || '.*' = any (w.events))
        returning id)
    insert into job (kind, subject, due) select 'webhook', jsonb_build_object('delivery', d.id), new.visible_from from d;
    return null;
end $$;
create trigger fan_out after insert on event for each row execute function fan_out();

create function webhook_test(p_webhook uuid) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare d webhook_delivery;
begin
    insert into webhook_delivery (id, webhook, account, kind)
        select ordered_id(), w.id, w.account, 'webhook.test' from webhook w where w.id = p_webhook and w.account = bound_account()
        returning * into d;
    if not found then return null; end if;
    insert into job (kind, subject) values ('webhook', jsonb_build_object('delivery', d.id));
    return to_jsonb(d);
end $$;

-- A webhook that was switched off is sent nothing, but for the test of whoever mends it.
create function webhook_parcel(p_delivery uuid) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('webhook', w.id, 'turn', w.turn, 'url', w.url, 'language', a.language, 'kind', d.kind, 'created', d.created,
                              'event', (select to_jsonb(e) from event e where e.id = d.event))
    from webhook_delivery d join webhook w on w.id = d.webhook join account a on a.id = d.account
    where d.id = p_delivery and d.state = 'waiting' and (w.enabled or d.event is null)
$$;

create function webhook_tried(p_delivery uuid, p_status integer, p_error text) returns void
language sql security definer set search_path = public, pg_temp as $$
    update webhook_delivery set tries = tries + 1, tried = now(), status = p_status, error = p_error,
        state = case when p_error is null then 'delivered' else 'waiting' end
    where id = p_delivery and state = 'waiting'
$$;

-- What was given up is said of the delivery too, and to the account.
create function webhook_died() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if new.kind = 'webhook' and new.dead is not null and old.dead is null then
        update webhook_delivery set state = 'dead' where id = (new.subject->>'delivery')::uuid and state = 'waiting';
        insert into event (account, kind, by, data)
            select w.account, 'webhook.failed', 'platform', jsonb_build_object('name', w.label, 'why', left(d.error, 200))
            from webhook_delivery d join webhook w on w.id = d.webhook where d.id = (new.subject->>'delivery')::uuid;
    end if;
    return null;
end $$;
create trigger webhook_died after update on job for each row execute function webhook_died();

create function sweep_deliveries() returns bigint
language sql security definer set search_path = public, pg_temp as $$
    with d as (delete from webhook_delivery where created < now() - interval '30 days' and state <> 'waiting' returning 1) select count(*) from d
$$;
insert into job (kind, every_s) values ('sweep-deliveries', 86400);

grant execute on function webhook_test(uuid) to husorden_tenant;
grant execute on function fan_out(), ordered_id() to husorden_tenant, husorden_staff;
grant execute on function webhook_parcel(uuid), webhook_tried(uuid, integer, text), sweep_deliveries() to husorden_system;
