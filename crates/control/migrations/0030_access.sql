-- Who was refused at a solution's port: what proposals are made of. It is bounded for each solution, and forgotten after a week.

create table refused (
    id        uuid primary key default ordered_id(),
    solution  uuid not null references solution,
    account   uuid not null references account,
    -- An IPv4 address, or an IPv6 /64.
    net       text not null check (length(net) <= 49),
    port      integer not null check (port between 1 and 65535),
    attempts  bigint not null,
    first     timestamptz not null,
    last      timestamptz not null,
    -- The account was told.
    told      timestamptz,
    -- Somebody has said that it is nobody they know.
    dismissed timestamptz,
    constraint refused_once unique (solution, net, port)
);
create index refused_by_age on refused (last);

alter table refused enable row level security;
alter table refused force row level security;
create policy owner_all on refused to husorden_owner using (true) with check (true);
create policy tenant_own on refused to husorden_tenant using (account = bound_account()) with check (account = bound_account());
create policy tenant_scope on refused as restrictive to husorden_tenant
    using ((select scope_open()) or exists (select from solution s where s.id = refused.solution))
    with check ((select scope_open()) or exists (select from solution s where s.id = refused.solution));
create policy staff_see on refused for select to husorden_staff using (true);
grant select, update (dismissed), delete on refused to husorden_tenant;
grant select on refused to husorden_staff;

-- What a node says of its own solutions is added up. Of a solution the newest 100 sources are kept; the account is told of one
-- once a day, and of no more than 20 in a day.
create function node_refused(p_node text, p_refused jsonb) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    touched uuid[];
begin
    -- Two reports at once would each count what the other has not yet told.
    perform pg_advisory_xact_lock(hashtextextended('node_refused', 0));
    with said as (
        select s.id as solution, s.account, r->>'net' as net, (r->>'port')::integer as port,
               sum(least((r->>'attempts')::bigint, 1000000)) as attempts,
               min(least(now(), (r->>'first')::timestamptz)) as first, max(least(now(), (r->>'last')::timestamptz)) as last
        from (select r from jsonb_array_elements(p_refused) r limit 1000) x
        join solution s on s.id = (r->>'solution')::uuid and s.node = p_node and s.deleted is null
        group by 1, 2, 3, 4 order by 1, 3, 4),
    kept as (
        insert into refused (solution, account, net, port, attempts, first, last)
            select solution, account, net, port, attempts, first, last from said
        on conflict (solution, net, port) do update
            set attempts = refused.attempts + excluded.attempts, last = greatest(refused.last, excluded.last)
        returning solution)
    select array_agg(distinct solution) into touched from kept;
    if touched is null then return; end if;
    delete from refused where id in (
        select id from (select id, row_number() over (partition by solution order by last desc, id desc) as place
                          from refused where solution = any (touched)) x where place > 100);
    with fresh as (
        select distinct on (f.solution, f.net) f.id, f.solution from refused f
         where f.solution = any (touched) and f.dismissed is null
           and not exists (select from refused o where o.solution = f.solution and o.net = f.net and o.told > now() - interval '1 day')
         order by f.solution, f.net, f.last desc),
    numbered as (
        select f.id, row_number() over (partition by f.solution order by f.id)
                   + (select count(*) from (select kind, at from event e where e.solution = f.solution order by e.id desc limit 500) lately
                       where lately.kind = 'access.refused' and lately.at > now() - interval '1 day') as place
        from fresh f),
    told as (
        update refused set told = now() where id in (select id from numbered where place <= 20)
        returning solution, account, net, port, attempts)
    insert into event (account, solution, kind, by, data)
        select t.account, t.solution, 'access.refused', 'node',
               jsonb_build_object('name', s.name, 'net', t.net, 'port', t.port, 'attempts', t.attempts)
        from told t join solution s on s.id = t.solution;
end $$;

create function sweep_refused() returns bigint
language sql security definer set search_path = public, pg_temp as $$
    with d as (delete from refused where last < now() - interval '7 days' returning 1) select count(*) from d
$$;
insert into job (kind, every_s) values ('sweep-refused', 3600);

grant execute on function node_refused(text, jsonb), sweep_refused() to husorden_system;
