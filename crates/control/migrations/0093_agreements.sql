-- Agreements: what is closed to all is opened to one solution, when its account has asked for it and staff have said yes. There is one subject:
-- TCP port 25 out.

create table agreement (
    id         uuid primary key,
    account    uuid not null references account,
    solution   uuid not null references solution,
    subject    text not null check (subject in ('port-25')),
    -- Messages a week that are expected.
    per_week   integer not null check (per_week between 1 and 1000000),
    purpose    text not null check (length(purpose) between 1 and 1000),
    state      text not null default 'asked' check (state in ('asked', 'agreed', 'refused', 'ended')),
    version    bigint not null default 1,
    asked      timestamptz not null default now(),
    asked_by   text not null,
    decided    timestamptz,
    decided_by text,
    -- What staff said when they decided.
    reason     text check (length(reason) between 1 and 1000),
    -- When it ends by itself; none for what stays.
    until      timestamptz,
    ended      timestamptz,
    ended_by   text,
    -- What staff said when they ended it.
    end_reason text check (length(end_reason) between 1 and 1000),
    constraint agreement_decided_whole check ((decided is null) = (decided_by is null) and (decided is not null or (reason is null and until is null))),
    constraint agreement_ended_whole check ((ended is null) = (ended_by is null) and (ended is not null or end_reason is null)),
    constraint agreement_state_fits check ((state = 'ended') = (ended is not null) and (state <> 'asked' or decided is null)
        and (state not in ('agreed', 'refused') or decided is not null) and (state <> 'refused' or reason is not null))
);
create unique index agreement_open on agreement (solution, subject) where state in ('asked', 'agreed');
create index agreement_by_solution on agreement (solution, id);
create index agreement_by_account on agreement (account, id);
create index agreement_asked on agreement (id) where state = 'asked';

alter table agreement enable row level security;
alter table agreement force row level security;
create policy owner_all on agreement to husorden_owner using (true) with check (true);
create policy tenant_see on agreement for select to husorden_tenant using (account = bound_account());
create policy tenant_ask on agreement for insert to husorden_tenant
    with check (account = bound_account() and state = 'asked'
                and exists (select from solution s where s.id = agreement.solution and s.account = agreement.account));
-- Whoever asked can let it be, and say no to what was agreed; to say yes is staff's.
create policy tenant_end on agreement for update to husorden_tenant
    using (account = bound_account()) with check (account = bound_account() and state = 'ended');
create policy tenant_scope on agreement as restrictive to husorden_tenant
    using ((select scope_open()) or exists (select from solution s where s.id = agreement.solution))
    with check ((select scope_open()) or exists (select from solution s where s.id = agreement.solution));
create policy staff_see on agreement for select to husorden_staff using (true);
create policy staff_decide on agreement for update to husorden_staff using (true) with check (true);
grant select, insert (id, account, solution, subject, per_week, purpose, asked_by), update (state, version, ended, ended_by)
    on agreement to husorden_tenant;
grant select, update (state, version, decided, decided_by, reason, until, ended, ended_by, end_reason) on agreement to husorden_staff;

-- An agreement with the names of what it is about, and with who asked and who decided.
create function agreement_told(a agreement) returns jsonb language sql stable set search_path = public, pg_temp as $$
    select to_jsonb(a) || jsonb_build_object(
        'account_name', (select x.name from account x where x.id = a.account),
        'solution_name', (select s.name from solution s where s.id = a.solution),
        'asked_by_whom', signed(a.asked_by), 'decided_by_whom', signed(a.decided_by), 'ended_by_whom', signed(a.ended_by))
$$;
grant execute on function agreement_told(agreement) to husorden_tenant, husorden_staff;

-- What a node is told of the agreements of a solution.
create function agreement_wish(p_solution uuid) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce((select jsonb_build_object('mail_out', jsonb_strip_nulls(jsonb_build_object('until', a.until)))
                       from agreement a where a.solution = p_solution and a.subject = 'port-25' and a.state = 'agreed'
                        and (a.until is null or a.until > now())), '{}')
$$;
alter function wish_json(solution) rename to wish_reach_json;
create function wish_json(s solution) returns jsonb language sql stable as $$
    select wish_reach_json(s) || agreement_wish(s.id)
$$;

-- What is agreed and what no longer is goes to the node that the solution lies on, whoever changed it.
create function tell_agreement() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update solution set
        generation = generation + case when hold_for is null then 1 else 2 end,
        held = case when hold_for is not null then held || jsonb_build_object('generation', generation + 1) end
    where id = new.solution and deleted is null;
    return null;
end $$;
create trigger tell_agreement after update of state on agreement for each row
    when ((old.state = 'agreed') is distinct from (new.state = 'agreed')) execute function tell_agreement();
grant execute on function tell_agreement() to husorden_tenant, husorden_staff;

-- It ends with what it is about.
create function end_agreements() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    with over as (
        update agreement set state = 'ended', version = version + 1, ended = now(), ended_by = 'platform'
         where solution = new.id and state in ('asked', 'agreed') returning *)
    insert into evidence (ended, who, act, account, solution, before, after)
        select now(), 'platform', 'agreement.end', o.account, o.solution,
               jsonb_build_object('agreement', o.id, 'subject', o.subject, 'why', 'the solution is gone'), '{}' from over o;
    return null;
end $$;
create trigger end_agreements after update of deleted on solution for each row
    when (old.deleted is null and new.deleted is not null) execute function end_agreements();
grant execute on function end_agreements() to husorden_tenant, husorden_staff;

-- An agreement whose end has come is over here too; the node has closed by its own clock already.
create function agreement_lapse(p_agreement uuid) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare a agreement;
begin
    select * into a from agreement where id = p_agreement for update;
    if not found or a.state <> 'agreed' or a.until is null or a.until > now() then return false; end if;
    update agreement set state = 'ended', version = version + 1, ended = until, ended_by = 'platform' where id = a.id;
    insert into evidence (ended, who, act, account, solution, before, after)
        values (now(), 'platform', 'agreement.end', a.account, a.solution,
                jsonb_build_object('agreement', a.id, 'subject', a.subject, 'why', 'its end has come', 'until', a.until), '{}');
    insert into event (account, solution, kind, by, data)
        select a.account, a.solution, 'agreement.ended', 'platform',
               jsonb_build_object('name', s.name, 'subject', a.subject, 'agreement', a.id, 'agreed', true, 'why', 'time')
        from solution s where s.id = a.solution;
    return true;
end $$;
grant execute on function agreement_lapse(uuid) to husorden_system;

-- What an account is mailed of, now also what came of what it asked for.
create or replace function mail_topic(p_kind text, p_data jsonb) returns text
language sql immutable set search_path = public, pg_temp as $$
    select case
        when p_kind in ('measure.decided', 'measure.taken', 'measure.lifted', 'measure.ended', 'complaint.made', 'complaint.answered',
                        'agreement.decided', 'agreement.ended') then 'decisions'
        when p_kind in ('grant.given', 'grant.broken', 'grant.used', 'token.created', 'token.revoked', 'webhook.created', 'webhook.changed',
                        'webhook.deleted', 'member.rescued') then 'access'
        when p_kind in ('order.done', 'order.failed') and p_data->>'verb' in ('back-up', 'prove', 'backup-read') then null
        when p_kind = 'backup.failed' and (p_data->>'again')::boolean then null
        when p_kind in ('solution.trouble', 'update.rolled-back', 'log.broken', 'volume.filling', 'volume.full', 'volume.room', 'wish.refused',
                        'order.failed', 'webhook.failed', 'backup.failed', 'backup.missing', 'proof.failed', 'snapshot-schedule.missed') then 'trouble'
        when p_kind in ('solution.deleted', 'solution.undone', 'solution.buried', 'solution.key-destroyed') then 'deletion'
        when p_kind in ('solution.created', 'solution.changed', 'solution.started', 'solution.stopped', 'credential.changed', 'update.held',
                        'backup-plan.changed', 'snapshot-schedule.changed', 'firewall.created', 'firewall.changed', 'firewall.deleted', 'address.named',
                        'network.created', 'network.changed', 'network.deleted', 'solution.taken-over', 'agreement.asked') then 'work'
        -- The daily one is no news.
        when p_kind = 'backup.ready' and p_data->>'reason' is distinct from 'daily' then 'work'
        -- A solution that wakes and sleeps is no news.
        when p_kind = 'order.done' and coalesce(p_data->>'verb', '') not in ('wake', 'sleep') then 'work'
        when p_kind like 'subscription.%' or p_kind = 'payment.entered' then 'money'
        when p_kind in ('member.invited', 'member.changed', 'member.removed', 'account.changed') then 'members'
        when p_kind in ('rules.published', 'rules.accepted') then 'rules'
    end
$$;
