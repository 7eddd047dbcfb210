-- Plans, subscriptions with their periods, and a ledger of double entries. Amounts are whole minor units; prices are stated
-- without VAT, which is added at the plan's rate.

create table plan (
    id          uuid primary key,
    code        text not null constraint plan_code_taken unique check (code ~ '^[a-z][a-z0-9-]{0,38}[a-z0-9]$'),
    name        jsonb not null,
    about       jsonb not null,
    addon       boolean not null default false,
    price_minor bigint not null check (price_minor between 0 and 1000000000000),
    currency    text not null check (currency ~ '^[A-Z]{3}$'),
    -- Hundredths of a percent.
    vat_bp      integer not null check (vat_bp between 0 and 10000),
    period      text not null check (period in ('month', 'year')),
    -- What the terms give back of a period that is ended before its time, and not for a breach.
    refund      text not null check (refund in ('remainder', 'none')),
    quota       jsonb not null default '{}',
    -- None: every kind.
    kinds       text[],
    sold        boolean not null default true,
    created     timestamptz not null default now()
);

create table subscription (
    id       uuid primary key,
    account  uuid not null references account,
    plan     uuid not null references plan,
    quantity integer not null check (quantity between 1 and 1000),
    state    text not null default 'active' check (state in ('active', 'ended')),
    renews   boolean not null default true,
    started  timestamptz not null default now(),
    ended    timestamptz,
    ending   text check (ending in ('customer', 'provider', 'breach', 'lapsed')),
    -- The case of an ending for breach.
    case_number text,
    constraint subscription_ended_whole check ((state = 'ended') = (ended is not null) and (state = 'ended') = (ending is not null))
);
create index subscription_by_account on subscription (account, id);

create table period (
    subscription uuid not null references subscription,
    number       integer not null check (number > 0),
    account      uuid not null references account,
    starts       timestamptz not null,
    ends         timestamptz not null check (ends > starts),
    currency     text not null,
    net_minor    bigint not null check (net_minor >= 0),
    vat_minor    bigint not null check (vat_minor >= 0),
    settled      timestamptz,
    -- Where the money went: used, credited, forfeited and refunded, of the price and of the VAT.
    net          jsonb,
    vat          jsonb,
    constraint period_once primary key (subscription, number)
);
-- What the renewal looks for.
create index period_open on period (ends) where settled is null;

create sequence ledger_entry_id;

create table ledger_entry (
    id           bigint primary key default nextval('ledger_entry_id'),
    -- The same thing is entered once.
    key          text not null constraint ledger_entry_once unique,
    at           timestamptz not null default now(),
    kind         text not null check (kind in ('period', 'settlement', 'payment')),
    account      uuid not null references account,
    subscription uuid references subscription,
    period       integer,
    text         text not null default '' check (length(text) <= 500),
    by           text not null
);
create index ledger_entry_by_account on ledger_entry (account, id);

-- Debits are above zero, credits below.
create table ledger_posting (
    entry    bigint not null references ledger_entry,
    line     integer not null,
    account  uuid not null references account,
    ledger   text not null check (ledger in ('receivable', 'unearned', 'revenue', 'forfeited', 'vat', 'bank')),
    minor    bigint not null check (minor <> 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    primary key (entry, line)
);
create index ledger_posting_by_account on ledger_posting (account, ledger);

do $$
declare t text;
begin
    foreach t in array array['plan', 'subscription', 'period', 'ledger_entry', 'ledger_posting'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format('create policy owner_all on %I to husorden_owner using (true) with check (true)', t);
        execute format('create policy staff_see on %I for select to husorden_staff using (true)', t);
        execute format('grant select on %I to husorden_tenant, husorden_staff', t);
    end loop;
    foreach t in array array['subscription', 'period', 'ledger_entry', 'ledger_posting'] loop
        execute format('create policy tenant_see on %I for select to husorden_tenant using (account = bound_account())', t);
    end loop;
    foreach t in array array['ledger_entry', 'ledger_posting'] loop
        execute format('create trigger never before update or delete on %I for each row execute function never_changed()', t);
    end loop;
end $$;
-- A plan that is not sold any more is seen by those who have it.
create policy tenant_see on plan for select to husorden_tenant
    using (sold or exists (select from subscription s where s.plan = plan.id and s.account = bound_account()));
create policy staff_add on plan for insert to husorden_staff with check (true);
create policy staff_change on plan for update to husorden_staff using (true) with check (true);
grant insert on plan to husorden_staff;
grant update (name, about, price_minor, vat_bp, refund, quota, kinds, sold) on plan to husorden_staff;

-- At the commit every entry has postings, and they come to zero in each currency.
create function ledger_balanced() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare e bigint;
begin
    if tg_table_name = 'ledger_entry' then e := new.id; else e := new.entry; end if;
    if not exists (select from ledger_posting where entry = e)
       or exists (select from ledger_posting where entry = e group by currency having sum(minor) <> 0) then
        raise exception 'ledger entry % does not come to zero', e using errcode = 'check_violation', constraint = 'ledger_balanced';
    end if;
    return null;
end $$;
create constraint trigger balanced after insert on ledger_entry deferrable initially deferred for each row execute function ledger_balanced();
create constraint trigger balanced after insert on ledger_posting deferrable initially deferred for each row execute function ledger_balanced();

-- Writes an entry. Postings of nothing are left out; an entry of nothing is not written.
create function ledger_write(p_key text, p_kind text, p_account uuid, p_subscription uuid, p_period integer, p_currency text,
                             p_text text, p_by text, p_postings jsonb) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare e bigint;
begin
    if not exists (select from jsonb_array_elements(p_postings) p where (p->>1)::bigint <> 0) then return; end if;
    insert into ledger_entry (key, kind, account, subscription, period, text, by)
        values (p_key, p_kind, p_account, p_subscription, p_period, p_text, p_by) returning id into e;
    insert into ledger_posting (entry, line, account, ledger, minor, currency)
        select e, n, p_account, p->>0, (p->>1)::bigint, p_currency
        from jsonb_array_elements(p_postings) with ordinality as t (p, n) where (p->>1)::bigint <> 0;
end $$;

-- Months are counted from the start of the subscription, so that one begun on the 31st does not wander.
create function period_begin(p_started timestamptz, p_period text, p_number integer) returns timestamptz language sql immutable as $$
    select (p_started at time zone 'UTC' + (p_number - 1) * case p_period when 'month' then interval '1 month' else interval '1 year' end) at time zone 'UTC'
$$;

-- Opens a period at the plan's price of today: the account owes it, and we owe the account what it paid for.
create function period_open(p_subscription uuid, p_number integer, p_by text) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    s subscription;
    p plan;
    net bigint;
    vat bigint;
begin
    select * into strict s from subscription where id = p_subscription;
    select * into strict p from plan where id = s.plan;
    net := p.price_minor * s.quantity;
    vat := round(net::numeric * p.vat_bp / 10000);
    insert into period (subscription, number, account, starts, ends, currency, net_minor, vat_minor)
        values (s.id, p_number, s.account, period_begin(s.started, p.period, p_number), period_begin(s.started, p.period, p_number + 1),
                p.currency, net, vat);
    perform ledger_write('period:' || s.id || ':' || p_number, 'period', s.account, s.id, p_number, p.currency, p.code, p_by,
        jsonb_build_array(jsonb_build_array('receivable', net + vat), jsonb_build_array('unearned', -net), jsonb_build_array('vat', -vat)));
end $$;

-- Closes a period: what was used and forfeited is ours, what was credited and refunded is the account's, with its VAT.
-- The shares must be the whole of what was paid. False: it is closed already.
create function period_settle(p_subscription uuid, p_number integer, p_net jsonb, p_vat jsonb, p_by text) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    d period;
    code text;
    back bigint := (p_net->>'credited')::bigint + (p_net->>'refunded')::bigint;
    vat_back bigint := (p_vat->>'credited')::bigint + (p_vat->>'refunded')::bigint;
    wrong boolean;
begin
    select * into d from period where subscription = p_subscription and number = p_number and settled is null for update;
    if not found then return false; end if;
    select p.code into strict code from subscription s join plan p on p.id = s.plan where s.id = p_subscription;
    select bool_or(value::bigint < 0) into wrong from (select * from jsonb_each_text(p_net) union all select * from jsonb_each_text(p_vat)) v;
    if wrong or back + (p_net->>'used')::bigint + (p_net->>'forfeited')::bigint <> d.net_minor
       or vat_back + (p_vat->>'used')::bigint + (p_vat->>'forfeited')::bigint <> d.vat_minor then
        raise exception 'the shares of a settlement are not what was paid' using errcode = 'check_violation', constraint = 'settlement_whole';
    end if;
    update period set settled = now(), net = p_net, vat = p_vat where subscription = p_subscription and number = p_number;
    perform ledger_write('settlement:' || p_subscription || ':' || p_number, 'settlement', d.account, p_subscription, p_number, d.currency,
        code, p_by, jsonb_build_array(
            jsonb_build_array('unearned', d.net_minor),
            jsonb_build_array('revenue', -(p_net->>'used')::bigint),
            jsonb_build_array('forfeited', -(p_net->>'forfeited')::bigint),
            jsonb_build_array('vat', vat_back),
            jsonb_build_array('receivable', -(back + vat_back))));
    return true;
end $$;

-- The tenant door touches its own account only, also through functions that run as the owner.
create function money_own(p_account uuid) returns void language plpgsql stable set search_path = public, pg_temp as $$
begin
    if session_user = 'husorden_tenant' and p_account is distinct from bound_account() then
        raise exception 'another account' using errcode = 'insufficient_privilege';
    end if;
end $$;

create function subscription_begin(p_id uuid, p_account uuid, p_plan uuid, p_quantity integer, p_by text) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform money_own(p_account);
    insert into subscription (id, account, plan, quantity) values (p_id, p_account, p_plan, p_quantity);
    perform period_open(p_id, 1, p_by);
end $$;

-- The newest period, locked with its subscription; none when it has ended.
create function subscription_lock(p_subscription uuid) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare s subscription;
begin
    select * into s from subscription where id = p_subscription for update;
    if not found then return null; end if;
    perform money_own(s.account);
    if s.state <> 'active' then return null; end if;
    return (select max(number) from period where subscription = p_subscription);
end $$;

-- When a measure for exceptional load held the account or one of its solutions within a period.
create function load_spans(p_subscription uuid, p_number integer) returns jsonb
language plpgsql stable security definer set search_path = public, pg_temp as $$
declare d period;
begin
    select * into d from period where subscription = p_subscription and number = p_number;
    perform money_own(d.account);
    return coalesce((
        select jsonb_agg(jsonb_build_object('starts', starts, 'ends', until))
        from (select m.starts, least(coalesce(m.lifted, now()), coalesce(m.ends, now()), now()) as until
              from measure m where m.account = d.account and m.clause = 'load.exceptional' and m.access <> 'full') spans
        where until > d.starts and starts < d.ends and until > starts), '[]');
end $$;

-- Whether it goes on after this period.
create function subscription_renews(p_subscription uuid, p_renews boolean) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if subscription_lock(p_subscription) is not null then
        update subscription set renews = p_renews where id = p_subscription;
    end if;
end $$;

-- Ends it now. False: it has ended, or a newer period has begun meanwhile.
create function subscription_end(p_subscription uuid, p_number integer, p_net jsonb, p_vat jsonb, p_ending text, p_case text, p_by text)
returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if subscription_lock(p_subscription) is distinct from p_number then return false; end if;
    if session_user = 'husorden_tenant' and p_ending <> 'customer' then
        raise exception 'an account ends as a customer' using errcode = 'insufficient_privilege';
    end if;
    if not period_settle(p_subscription, p_number, p_net, p_vat, p_by) then return false; end if;
    update subscription set state = 'ended', renews = false, ended = now(), ending = p_ending, case_number = p_case where id = p_subscription;
    return true;
end $$;

-- Subscriptions whose newest period is over, with what is needed to settle it.
create function subscription_due(p_limit integer) returns setof jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('subscription', d.subscription, 'number', d.number, 'net_minor', d.net_minor, 'vat_minor', d.vat_minor,
                              'starts', d.starts, 'ends', d.ends, 'held', load_spans(d.subscription, d.number))
    from period d join subscription s on s.id = d.subscription and s.state = 'active'
    where d.settled is null and d.ends <= now() order by d.ends, d.subscription limit p_limit
$$;

-- Settles the period that is over and begins the next, or ends the subscription, in one transaction. False: it was done before.
create function subscription_renew(p_subscription uuid, p_number integer, p_net jsonb, p_vat jsonb) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    s subscription;
    code text;
begin
    if subscription_lock(p_subscription) is distinct from p_number then return false; end if;
    if not exists (select from period where subscription = p_subscription and number = p_number and ends <= now()) then return false; end if;
    if not period_settle(p_subscription, p_number, p_net, p_vat, 'platform') then return false; end if;
    select * into strict s from subscription where id = p_subscription;
    select p.code into strict code from plan p where p.id = s.plan;
    if s.renews then
        perform period_open(s.id, p_number + 1, 'platform');
        insert into evidence (ended, who, act, account, before, after)
            values (now(), 'platform', 'subscription.renew', s.account, jsonb_build_object('subscription', s.id, 'plan', code, 'period', p_number + 1), '{}');
        insert into event (account, kind, by, data)
            values (s.account, 'subscription.renewed', 'platform', jsonb_build_object('name', code, 'subscription', s.id, 'period', p_number + 1));
    else
        update subscription set state = 'ended', ended = now(), ending = 'lapsed' where id = s.id;
        insert into evidence (ended, who, act, account, before, after)
            values (now(), 'platform', 'subscription.end', s.account, jsonb_build_object('subscription', s.id, 'plan', code, 'why', 'lapsed'), '{}');
        insert into event (account, kind, by, data)
            values (s.account, 'subscription.lapsed', 'platform', jsonb_build_object('name', code, 'subscription', s.id));
    end if;
    return true;
end $$;

-- Money that came in, or went back when it is below zero.
create function ledger_payment(p_key text, p_account uuid, p_minor bigint, p_currency text, p_text text, p_by text) returns void
language sql security definer set search_path = public, pg_temp as $$
    select ledger_write('payment:' || p_key, 'payment', p_account, null, null, p_currency, p_text, p_by,
        jsonb_build_array(jsonb_build_array('bank', p_minor), jsonb_build_array('receivable', -p_minor)))
$$;

grant execute on function ledger_balanced() to husorden_tenant, husorden_staff;
grant execute on function subscription_begin(uuid, uuid, uuid, integer, text), subscription_lock(uuid), load_spans(uuid, integer),
    subscription_renews(uuid, boolean), subscription_end(uuid, integer, jsonb, jsonb, text, text, text)
    to husorden_tenant, husorden_staff;
grant execute on function ledger_payment(text, uuid, bigint, text, text, text) to husorden_staff;
grant execute on function subscription_due(integer), subscription_renew(uuid, integer, jsonb, jsonb) to husorden_system;

-- One shape, read with the asker's own rights: a subscription with its plan and its newest period.
create view subscription_view with (security_invoker = true) as
select s.id, s.account, s.quantity, s.state, s.renews, s.started, s.ended, s.ending, s.case_number,
       p.id as plan, p.code, p.name, p.addon, p.period as every, p.refund, p.quota, p.kinds,
       d.number, d.starts, d.ends, d.currency, d.net_minor, d.vat_minor
from subscription s
join plan p on p.id = s.plan
join lateral (select * from period d where d.subscription = s.id order by d.number desc limit 1) d on true;

create view ledger_view with (security_invoker = true) as
select e.id, e.at, e.kind, e.account, e.subscription, e.period, e.text, e.by,
       (select jsonb_agg(jsonb_build_object('ledger', p.ledger, 'amount', jsonb_build_object('minor', p.minor, 'currency', p.currency)) order by p.line)
          from ledger_posting p where p.entry = e.id) as postings
from ledger_entry e;
grant select on subscription_view, ledger_view to husorden_tenant, husorden_staff;

insert into job (kind, every_s) values ('renew-subscriptions', 60);
