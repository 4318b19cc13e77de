{#- The few distinct user agents of `relation`, judged once each instead of once per event: user_agent, is_bot, is_machine_open. `rules` is
    the seed user_agent_rules. -#}
{% macro judged_user_agents(relation, rules) -%}
    select
        agents.user_agent,
        max(case when rules.kind = 'bot' then 1 else 0 end) = 1 as is_bot,
        max(case when rules.kind = 'machine_open' then 1 else 0 end) = 1 as is_machine_open
    from (
        select seen.user_agent
        from {{ relation }} as seen
        where seen.user_agent is not null
        group by seen.user_agent
    ) as agents
    left join {{ rules }} as rules
        on lower(agents.user_agent) like rules.pattern
    group by agents.user_agent
{%- endmacro %}
