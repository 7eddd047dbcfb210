-- Figures of solutions that run, a row a minute as the node says them. A day is kept as it came, a week as every tenth minute.

create table sample (
    solution uuid not null references solution,
    account  uuid not null references account,
    at       timestamptz not null,
    figures  jsonb not null,
    constraint sample_once primary key (solution, at)
);
create index sample_by_age on sample (at);

alter table sample enable row level security;
alter table sample force row level security;
create policy owner_all on sample to husorden_owner using (true) with check (true);
create policy tenant_own on sample to husorden_tenant using (account = bound_account()) with check (account = bound_account());
create policy tenant_scope on sample as restrictive to husorden_tenant
    using ((select scope_open()) or exists (select from solution s where s.id = sample.solution))
    with check ((select scope_open()) or exists (select from solution s where s.id = sample.solution));
create policy staff_see on sample for select to husorden_staff using (true);
grant select on sample to husorden_tenant, husorden_staff;

-- What a node says of its own solutions. The clock of a node is not trusted beyond now.
create function node_samples(p_node text, p_samples jsonb) returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into sample (solution, account, at, figures)
        select s.id, s.account, date_trunc('minute', least(now(), (r->>'at')::timestamptz)), r->'values'
        from (select r from jsonb_array_elements(p_samples) r limit 1000) x
        join solution s on s.id = (r->>'solution')::uuid and s.node = p_node and s.deleted is null
        where jsonb_typeof(r->'values') = 'object' and length(r->>'values') <= 4096
    on conflict (solution, at) do update set figures = excluded.figures
$$;

create function sweep_samples() returns bigint
language sql security definer set search_path = public, pg_temp as $$
    with d as (delete from sample where at < now() - interval '8 days'
                  or (at < now() - interval '1 day' and extract(minute from at)::int % 10 <> 0) returning 1) select count(*) from d
$$;
insert into job (kind, every_s) values ('sweep-samples', 3600);

grant execute on function node_samples(text, jsonb), sweep_samples() to husorden_system;
