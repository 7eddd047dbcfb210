-- What a decision forfeits: a subscription that ends for breach belongs to the measure that was decided, and a complaint that is
-- upheld gives the amount back.

alter table subscription
    add column measure  uuid references measure,
    -- When what was forfeited was given back.
    add column returned timestamptz,
    add constraint subscription_breach_decided check (measure is null or ending = 'breach');
create index subscription_by_measure on subscription (measure) where measure is not null;
alter table ledger_entry drop constraint ledger_entry_kind_check;
alter table ledger_entry add constraint ledger_entry_kind_check check (kind in ('period', 'settlement', 'payment', 'return'));

drop function subscription_end(uuid, integer, jsonb, jsonb, text, text, text);
-- Ends it now. False: it has ended, or a newer period has begun meanwhile.
create function subscription_end(p_subscription uuid, p_number integer, p_net jsonb, p_vat jsonb, p_ending text, p_case text,
                                 p_measure uuid, p_by text)
returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if subscription_lock(p_subscription) is distinct from p_number then return false; end if;
    if session_user = 'husorden_tenant' and p_ending <> 'customer' then
        raise exception 'an account ends as a customer' using errcode = 'insufficient_privilege';
    end if;
    if (p_ending = 'breach') is distinct from exists (
        select from measure m join subscription s on s.account = m.account
         where m.id = p_measure and s.id = p_subscription and m.case_number = p_case) then
        raise exception 'an ending for breach rests on a decision' using errcode = 'check_violation', constraint = 'subscription_breach_decided';
    end if;
    if not period_settle(p_subscription, p_number, p_net, p_vat, p_by) then return false; end if;
    update subscription set state = 'ended', renews = false, ended = now(), ending = p_ending, case_number = p_case, measure = p_measure
        where id = p_subscription;
    return true;
end $$;
grant execute on function subscription_end(uuid, integer, jsonb, jsonb, text, text, uuid, text) to husorden_tenant, husorden_staff;

-- What measures have forfeited, read with the asker's own rights.
create view forfeit_view with (security_invoker = true) as
select s.measure, s.id as subscription, s.account, s.ended, s.returned, p.code, p.name, d.ends, d.currency, d.net, d.vat
from subscription s
join plan p on p.id = s.plan
join lateral (select * from period d where d.subscription = s.id order by d.number desc limit 1) d on true
where s.measure is not null;
grant select on forfeit_view to husorden_tenant, husorden_staff;

-- Gives back what a measure has forfeited, once. The answer is what was given back now.
create function forfeit_return(p_measure uuid, p_by text) returns setof jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    s subscription;
    d period;
    code text;
    net bigint;
    vat bigint;
begin
    for s in select * from subscription where measure = p_measure and returned is null order by id for update loop
        select * into strict d from period where subscription = s.id order by number desc limit 1;
        select p.code into strict code from plan p where p.id = s.plan;
        net := (d.net->>'forfeited')::bigint;
        vat := (d.vat->>'forfeited')::bigint;
        perform ledger_write('return:' || s.id, 'return', s.account, s.id, d.number, d.currency, code, p_by, jsonb_build_array(
            jsonb_build_array('forfeited', net), jsonb_build_array('vat', vat), jsonb_build_array('receivable', -(net + vat))));
        update subscription set returned = now() where id = s.id;
        return next jsonb_build_object('subscription', s.id, 'code', code, 'minor', net + vat, 'currency', d.currency);
    end loop;
end $$;
grant execute on function forfeit_return(uuid, text) to husorden_staff;

-- A measure with what a probe met of it, who decided, and what the decision forfeits.
create function measure_told(m measure_view) returns jsonb language sql stable set search_path = public, pg_temp as $$
    select to_jsonb(m) || jsonb_build_object('seen', measure_seen(m.id), 'decided_by_whom', signed(m.decided_by),
        'forfeits', coalesce((select jsonb_agg(to_jsonb(f) order by f.subscription) from forfeit_view f where f.measure = m.id), '[]'))
$$;
grant execute on function measure_told(measure_view) to husorden_tenant, husorden_staff;
