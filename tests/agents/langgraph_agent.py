"""A small agent made with LangGraph: a model, three tools, one task.

    python langgraph_agent.py 'what to do'
"""

import subprocess
import sys

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition


@tool
def shell(command: str) -> str:
    """Run a shell command and return its output."""
    done = subprocess.run(
        command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )
    failed = f"error: exit status {done.returncode}\n" if done.returncode else ""
    return failed + done.stdout


@tool
def read_file(path: str) -> str:
    """Return the text of a file."""
    with open(path, encoding="utf-8") as file:
        return file.read()


@tool
def write_file(path: str, content: str) -> str:
    """Write text to a file."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
    return f"wrote {path}"


TOOLS = [shell, read_file, write_file]


def refused(error: OSError) -> str:
    """What the model is told when the system refuses a tool."""
    return f"error: {error}"


def main() -> None:
    model = ChatOpenAI(model="scripted", max_retries=2).bind_tools(TOOLS)
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode(TOOLS, handle_tool_errors=refused))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    answer = graph.compile().invoke({"messages": [("user", sys.argv[1])]}, {"recursion_limit": 1000})
    print(answer["messages"][-1].content)


if __name__ == "__main__":
    main()
